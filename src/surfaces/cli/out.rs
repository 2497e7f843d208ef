//! Standard output of the commands: lines, tables and a little colour where a terminal is there to show it.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};

/// Writes a line. A reader that has gone (`| head`) ends the program quietly, as other tools do.
pub fn line(text: impl Display) {
    let mut stdout = std::io::stdout().lock();
    if writeln!(stdout, "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Writes a line for whoever still reads. A server goes on without a reader: it holds calls.
pub fn notice(text: impl Display) {
    // There is nobody to tell.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Colours of the terminal, or nothing where output is not a terminal or `NO_COLOR` asks for none.
#[derive(Debug, Clone, Copy)]
pub struct Paint {
    on: bool,
}

impl Paint {
    pub fn for_stdout(no_color: bool) -> Self {
        Self { on: !no_color && std::io::stdout().is_terminal() }
    }

    pub fn bold(self, text: impl Display) -> String {
        self.with("1", text)
    }

    pub fn dim(self, text: impl Display) -> String {
        self.with("2", text)
    }

    pub fn red(self, text: impl Display) -> String {
        self.with("31", text)
    }

    pub fn green(self, text: impl Display) -> String {
        self.with("32", text)
    }

    pub fn yellow(self, text: impl Display) -> String {
        self.with("33", text)
    }

    pub fn cyan(self, text: impl Display) -> String {
        self.with("36", text)
    }

    fn with(self, code: &str, text: impl Display) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}
