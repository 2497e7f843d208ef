//! The server under test: the binary as a child process with a database of its own.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use clearline::emulators::EventLog;
use tokio::sync::watch;
use uuid::Uuid;

use super::api::Api;
use super::vendors::Vendors;
use super::{ACCOUNT, AUTH_TOKEN, OFFICE, books, soon};

/// A server, and everything that it leaves behind. Killed and removed when dropped.
pub(super) struct Server {
    child: Child,
    lines: watch::Receiver<Vec<String>>,
    out: watch::Receiver<Vec<String>>,
    settings: Settings,
    /// Where the carrier reaches it, or did before it was started again.
    addresses: Vec<String>,
    /// `http://127.0.0.1:4567`
    pub base: String,
    /// Talks to the server with the key of an administrator who may claim emergencies.
    pub api: Api,
}

/// The environment of the binary: settings and a folder for the database.
#[derive(Clone)]
pub(super) struct Settings {
    folder: PathBuf,
    /// What the emulated carrier saw, for the books at the end.
    carrier: EventLog,
    pairs: Vec<(String, String)>,
}

impl Settings {
    pub(super) fn new(vendors: &Vendors, own: &[(&str, &str)]) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("it-{}", Uuid::new_v4().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        Self::in_folder(&folder, vendors, own)
    }

    /// The same in a folder that is there.
    pub(super) fn in_folder(folder: &Path, vendors: &Vendors, own: &[(&str, &str)]) -> Self {
        let folder = folder.to_owned();
        let store = store_in(&folder);
        let (twilio, elevenlabs) = (vendors.twilio.base_url(), vendors.elevenlabs.base_url());
        let common = [
            ("STORE__URL", store.as_str()),
            ("SELLER__NAME", "Riverside Homes"),
            ("SELLER__CALLBACK_NUMBER", OFFICE),
            ("CARRIER__TWILIO__API_URL", &twilio),
            ("CARRIER__TWILIO__ACCOUNT_SID", ACCOUNT),
            ("CARRIER__TWILIO__AUTH_TOKEN", AUTH_TOKEN),
            ("CARRIER__TWILIO__FROM", OFFICE),
            ("AGENTS__DEFAULT", "elevenlabs:agent_echo"),
            ("AGENTS__ELEVENLABS__API_URL", &elevenlabs),
        ];
        let pairs = common.iter().chain(own).map(|(key, text)| (format!("CLEARLINE__{key}"), (*text).to_owned()));
        Self { folder, carrier: vendors.twilio.log().clone(), pairs: pairs.collect() }
    }

    /// A file in the folder of the database.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Where the database is, and the lists.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the server's database is.
    pub(super) fn store_url(&self) -> String {
        store_in(&self.folder)
    }

    /// One more setting, over what was set before.
    pub(super) fn with(mut self, key: &str, text: &str) -> Self {
        self.pairs.push((format!("CLEARLINE__{key}"), text.to_owned()));
        self
    }

    /// What the carrier is told, of a server at this address.
    fn public_url(&self, base: &str) -> String {
        let set = self.pairs.iter().rev().find(|(key, _)| key == "CLEARLINE__SERVER__PUBLIC_URL");
        set.map_or_else(|| base.to_owned(), |(_, url)| url.clone())
    }

    /// A variable of the environment that is no setting.
    pub(super) fn with_variable(mut self, name: &str, text: &str) -> Self {
        self.pairs.push((name.to_owned(), text.to_owned()));
        self
    }

    /// The binary with these settings and nothing else in its environment.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
        command.env_clear().envs(self.pairs.clone()).stdin(Stdio::null());
        command
    }

    /// A setting as the binary gets it.
    pub(super) fn value(&self, key: &str) -> String {
        let name = format!("CLEARLINE__{key}");
        self.pairs.iter().rev().find(|(pair, _)| *pair == name).map(|(_, text)| text.clone()).unwrap()
    }

    /// Runs a command of the binary to its end.
    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Makes a key. Returns its text, and its id.
    pub(super) fn create_key(&self, role: &str) -> (String, String) {
        self.create_key_with(role, &[])
    }

    /// The same, with scopes beside those of the role.
    pub(super) fn create_key_with(&self, role: &str, scopes: &[&str]) -> (String, String) {
        // The first one is the server's, `tests`.
        let made = String::from_utf8(self.run(&["keys", "list"]).stdout).unwrap().lines().count();
        let name = if made == 0 { "tests".to_owned() } else { format!("tests-{made}") };
        let grants = scopes.iter().flat_map(|scope| ["--grant", scope]);
        let arguments: Vec<_> = ["keys", "create", &name, "--role", role].into_iter().chain(grants).collect();
        let output = self.run(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let (key, rest) = text.split_once('\n').unwrap();
        let id = rest.split_once("key_").unwrap().1.split([';', ' ']).next().unwrap();
        (key.to_owned(), format!("key_{id}"))
    }
}

fn store_in(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("store.sqlite3").display())
}

impl Server {
    pub(super) async fn start(vendors: &Vendors, own: &[(&str, &str)]) -> Self {
        let server = Self::start_with(Settings::new(vendors, own)).await;
        vendors.lead_to(&server.base).await;
        server
    }

    pub(super) async fn start_with(settings: Settings) -> Self {
        // Emergencies may be called at any hour, which is what most tests need.
        let (key, _) = settings.create_key_with("admin", &["calls:emergency"]);
        let (child, base, lines, out) = spawn(&settings).await;
        let addresses = vec![books::note_address(&settings.public_url(&base))];
        Self { child, lines, out, api: Api::new(&base, &key), base, settings, addresses }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes a setting for the next start.
    pub(super) fn set(&mut self, key: &str, text: &str) {
        let key = format!("CLEARLINE__{key}");
        self.settings.pairs.retain(|(name, _)| *name != key);
        self.settings.pairs.push((key, text.to_owned()));
    }

    /// The server is gone at once, with everything it had not written down.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, on the same database and another free port.
    pub(super) async fn start_again(&mut self) {
        let (child, base, lines, out) = spawn(&self.settings).await;
        self.api.move_to(&base);
        self.addresses.push(books::note_address(&self.settings.public_url(&base)));
        (self.child, self.base, self.lines, self.out) = (child, base, lines, out);
    }

    #[cfg(target_os = "linux")]
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGTERM.
    pub(super) fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until the server logged this.
    pub(super) async fn logged(&mut self, text: &str) {
        let logged = self.lines.wait_for(|lines| lines.iter().any(|line| line.contains(text)));
        assert!(soon(text, logged).await.is_ok(), "the server stopped before it logged: {text}");
    }

    /// The line in which the server printed this.
    pub(super) async fn printed(&self, text: &str) -> String {
        let mut out = self.out.clone();
        let lines = soon(text, out.wait_for(|lines| lines.iter().any(|line| line.contains(text)))).await;
        let lines = lines.unwrap_or_else(|_| panic!("the server stopped before it printed: {text}"));
        lines.iter().find(|line| line.contains(text)).unwrap().clone()
    }

    /// Waits until no call is live and no media stream is open, by the server's own count.
    pub(super) async fn nothing_is_open(&self) {
        let closed = async {
            loop {
                let metrics = self.api.get("/metrics").await.body;
                let none = |gauge: &str| metrics.as_str().unwrap().contains(&format!("\n{gauge} 0\n"));
                if none("clearline_live_calls") && none("clearline_open_streams") {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        soon("the end of all calls and streams", closed).await;
    }

    /// What the server logged so far.
    pub(super) fn log(&self) -> String {
        self.lines.borrow().join("\n")
    }

    /// Waits until the process has exited.
    pub(super) async fn exited(&mut self) -> ExitStatus {
        // Its log is at its end when the process is.
        soon("the server's exit", async { while self.lines.changed().await.is_ok() {} }).await;
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Most tests end with a running server; one that has exited already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the server's log:\n{}", self.lines.borrow().join("\n"));
        } else {
            books::check_at_the_end(&self.settings.store_url(), &self.addresses, &self.settings.carrier);
        }
        let _ = std::fs::remove_dir_all(&self.settings.folder);
    }
}

pub(super) type Lines = watch::Receiver<Vec<String>>;

/// The process, its address, its log and what it prints.
async fn spawn(settings: &Settings) -> (Child, String, Lines, Lines) {
    let mut command = settings.command();
    command.args(["serve", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut out = follow(child.stdout.take().unwrap());
    let lines = follow(child.stderr.take().unwrap());
    let started = async {
        let said = out.wait_for(|lines| !lines.is_empty()).await.ok()?;
        said[0].strip_prefix("listening on ").map(str::to_owned)
    };
    let base = soon("the server's address", started).await;
    let base = base.unwrap_or_else(|| panic!("the server did not start:\n{}", lines.borrow().join("\n")));
    (child, base, lines, out)
}

/// The lines of a pipe as they come. The channel closes with the pipe.
pub(super) fn follow(pipe: impl Read + Send + 'static) -> watch::Receiver<Vec<String>> {
    let (lines, receiver) = watch::channel(Vec::new());
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            lines.send_modify(|lines| lines.push(line));
        }
    });
    receiver
}
