//! Dials an agent's socket or REST API and hands back a socket with its dialect.
