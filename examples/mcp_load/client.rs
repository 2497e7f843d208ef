//! The lightest client there can be: requests made once, answers read as far as their length, so that it is the server that is measured.

use std::net::SocketAddr;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(super) struct Client {
    address: SocketAddr,
    key: String,
}

pub(super) struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(super) fn new(address: SocketAddr, key: &str) -> Self {
        Self { address, key: key.to_owned() }
    }

    pub(super) async fn connect(&self) -> anyhow::Result<Connection> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        Ok(Connection { socket, buffer: Vec::with_capacity(4096) })
    }

    pub(super) fn call_tool(&self, tool: &str, arguments: &Value) -> Vec<u8> {
        self.modern("tools/call", Some(tool), json!({"name": tool, "arguments": arguments}))
    }

    pub(super) fn listen(&self, uri: &str) -> Vec<u8> {
        self.modern("subscriptions/listen", None, json!({"notifications": {"resourceSubscriptions": [uri]}}))
    }

    pub(super) fn initialize(&self) -> Vec<u8> {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "load", "version": "1"}});
        self.request("", "initialize", &params)
    }

    fn modern(&self, method: &str, name: Option<&str>, mut params: Value) -> Vec<u8> {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let name = name.map(|name| format!("mcp-name: {name}\r\n")).unwrap_or_default();
        self.request(&format!("mcp-protocol-version: 2026-07-28\r\nmcp-method: {method}\r\n{name}"), method, &params)
    }

    fn request(&self, headers: &str, method: &str, params: &Value) -> Vec<u8> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\n{headers}content-length: {}\r\n\r\n{body}",
            self.address,
            self.key,
            body.len()
        )
        .into_bytes()
    }
}

impl Connection {
    pub(super) async fn send(&mut self, request: &[u8]) -> anyhow::Result<()> {
        Ok(self.socket.write_all(request).await?)
    }

    /// Sends a request and reads its answer, which has a length.
    pub(super) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<String> {
        self.send(request).await?;
        self.buffer.clear();
        loop {
            self.read().await?;
            let Some(end) = find(&self.buffer, b"\r\n\r\n") else { continue };
            let head = std::str::from_utf8(&self.buffer[..end])?.to_ascii_lowercase();
            anyhow::ensure!(head.starts_with("http/1.1 200"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("a length")?;
            let whole = end + 4 + length.parse::<usize>()?;
            while self.buffer.len() < whole {
                self.read().await?;
            }
            return Ok(String::from_utf8_lossy(&self.buffer[end + 4..whole]).into_owned());
        }
    }

    /// Reads until this comes along, and forgets what came before it.
    pub(super) async fn until(&mut self, text: &str) -> anyhow::Result<()> {
        loop {
            if let Some(place) = find(&self.buffer, text.as_bytes()) {
                self.buffer.drain(..place + text.len());
                return Ok(());
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        let read = self.socket.read_buf(&mut self.buffer).await?;
        anyhow::ensure!(read > 0, "the server closed the connection: {}", String::from_utf8_lossy(&self.buffer));
        Ok(())
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
