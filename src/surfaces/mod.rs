//! The doors: webhooks, REST, command line, later MCP and the console.
