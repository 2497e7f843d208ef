//! Parses the command line, calls boot, maps the error to an exit code.

fn main() {}
