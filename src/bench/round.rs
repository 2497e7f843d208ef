//! One round: a contender is started, calls are set up through it, speak for a while, and are looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::contender::{ACCOUNT, AUTH_TOKEN, CALLER, Contender, OFFICE, Running};
use super::ears::Ears;
use super::ends::{AgentServer, call_sid, open_carrier};
use super::load::{Findings, Line, Load, Traffic};
use super::process::{self, Machine, Usage};
use super::processors::Processors;
use super::temp_folder::TempFolder;
use crate::domain::Secret;
use crate::protocol::twilio::signature::{Algorithm, sign};

/// Calls that are being set up at once.
const SET_UP_AT_ONCE: usize = 32;

/// Calls that come and go before memory is looked at, so that what a first call brings about once is not counted for every one.
const FIRST_CALLS: usize = 50;

/// How long the calls speak before it counts, and what is still on its way may take at the end.
const SETTLE: Duration = Duration::from_secs(1);

/// How long all calls together may take to be set up.
const SET_UP_LIMIT: Duration = Duration::from_mins(1);

/// How late the load may be, µs, for one frame in a hundred: a quarter of a frame.
const SLIP_LIMIT_US: f64 = 5_000.0;

/// What others may take of the machine, in cores.
const OTHERS_LIMIT: f64 = 0.1;

/// What is the same in all rounds.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) agents: AgentServer,
    pub(super) tasks: TaskTracker,
    pub(super) processors: Processors,
    pub(super) folder: TempFolder,
    pub(super) epoch: Instant,
    pub(super) seconds: u32,
    /// For how much of the time each agent speaks, in percent.
    pub(super) agents_speak: u32,
    /// Calls that are listened to, for [`Contender::ClearlineListened`].
    pub(super) listeners: usize,
}

/// What came of a round.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) contender: Contender,
    pub(super) calls: usize,
    /// CPU seconds for a minute of a call, by the frames that were really carried.
    pub(super) cpu_per_call_minute: f64,
    /// KiB, beyond what it held without calls.
    pub(super) memory_per_call: f64,
    /// KiB that a call took more at the end of the round than at its beginning.
    pub(super) memory_growth: f64,
    pub(super) threads: u32,
    /// Calls a second, from the first webhook to the last agent.
    pub(super) set_up_rate: f64,
    pub(super) findings: Arc<Findings>,
    /// Why these figures are not to be believed.
    pub(super) doubts: Vec<String>,
}

impl Stage {
    pub(super) async fn round(&self, contender: Contender, calls: usize) -> anyhow::Result<Outcome> {
        let folder = self.folder.sub()?;
        let running = Running::start(contender, self.agents.address, &folder, &self.processors)?;
        let _watcher = match &running.key {
            Some(key) => Some(self.follow_events(&running, key).await?),
            None => None,
        };
        let traffic = |calls| Traffic {
            calls,
            pcm: contender == Contender::ClearlinePcm,
            voids_turns: contender.is_product(),
            agents_speak: self.agents_speak,
        };
        let first = self.set_up(contender, &running, traffic(FIRST_CALLS.min(calls)), 0).await?;
        self.speak(&first.load, Duration::ZERO, || Ok(()), Duration::from_millis(500), || Ok(())).await?;
        hang_up(contender, &running, &first.load).await?;
        sleep(SETTLE).await;

        let idle = running.usage()?;
        let SetUp { load, rate } = self.set_up(contender, &running, traffic(calls), FIRST_CALLS).await?;
        let listeners = if contender == Contender::ClearlineListened { self.listeners } else { 0 };
        let ears = Ears::open(&running, &load, listeners, &self.tasks).await?;
        let window = Duration::from_secs(self.seconds.into());
        let (before, after) = self.measure(&running, &load, window).await?;
        load.count_missing();
        load.findings.faults.unheard.fetch_add(ears.that_missed(self.seconds), Ordering::Relaxed);
        let figures = Window { before, after, seconds: f64::from(self.seconds) };
        Ok(figures.outcome(contender, idle, rate, &load))
    }

    /// Follows the product's events, as a console would.
    async fn follow_events(
        &self,
        running: &Running,
        key: &str,
    ) -> anyhow::Result<tokio_util::task::AbortOnDropHandle<()>> {
        let mut socket = TcpStream::connect(running.address).await?;
        let (address, key) = (running.address, key.to_owned());
        let request = format!("GET /api/v1/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut bytes = vec![0; 16 << 10];
        let length = socket.read(&mut bytes).await?;
        ensure!(bytes[..length].starts_with(b"HTTP/1.1 200"), "the product's events cannot be followed");
        let reading =
            self.tasks.spawn(async move { while socket.read(&mut bytes).await.is_ok_and(|length| length > 0) {} });
        Ok(tokio_util::task::AbortOnDropHandle::new(reading))
    }

    async fn set_up(
        &self,
        contender: Contender,
        running: &Running,
        traffic: Traffic,
        first: usize,
    ) -> anyhow::Result<SetUp> {
        let load = Arc::new(Load::new(traffic, first, self.epoch));
        self.agents.serve(&load);
        let http = http()?;
        let begun = self.epoch.elapsed();
        let opening = stream::iter(0..traffic.calls)
            .map(|index| self.open_call(contender, running, &http, index, &load))
            .buffer_unordered(SET_UP_AT_ONCE)
            .try_for_each(|()| async { Ok(()) });
        let all = async {
            opening.await?;
            load.all_ready().await;
            anyhow::Ok(())
        };
        timeout(SET_UP_LIMIT, all).await.with_context(|| {
            format!(
                "the {} did not bring up {} calls in time; {}",
                contender.name(),
                traffic.calls,
                running.last_words()
            )
        })??;
        #[expect(clippy::cast_precision_loss, reason = "calls are counted in thousands")]
        let rate = traffic.calls as f64 / self.epoch.elapsed().saturating_sub(begun).as_secs_f64();
        Ok(SetUp { load, rate })
    }

    async fn open_call(
        &self,
        contender: Contender,
        running: &Running,
        http: &reqwest::Client,
        index: usize,
        load: &Arc<Load>,
    ) -> anyhow::Result<()> {
        let address = running.address;
        if !contender.is_product() {
            return open_carrier(address, None, "none", index, load, &self.tasks).await;
        }
        let sid = call_sid(load.sid_number(index));
        let form = [
            ("AccountSid", ACCOUNT),
            ("CallSid", &sid),
            ("CallStatus", "ringing"),
            ("Direction", "inbound"),
            ("From", CALLER),
            ("To", OFFICE),
        ];
        let document = post(http, running, "/webhooks/voice", &form).await?;
        let token = document.split_once("name=\"token\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
        let (token, _) = token.with_context(|| format!("no token in the answer to the webhook: {document}"))?;
        let signature = sign(&Secret::new(AUTH_TOKEN), Algorithm::HmacSha1, &format!("ws://{address}/media"), &[]);
        open_carrier(address, Some(&signature), token, index, load, &self.tasks).await
    }

    /// The calls speak; usage is looked at after they settled and at the end.
    async fn measure(&self, running: &Running, load: &Arc<Load>, window: Duration) -> anyhow::Result<(Look, Look)> {
        let mut before = Look::default();
        let look = |running: &Running| {
            anyhow::Ok(Look {
                usage: running.usage()?,
                own: process::usage(std::process::id())?,
                machine: process::machine()?,
            })
        };
        let after = {
            let begin = || {
                load.findings.begin();
                before = look(running)?;
                Ok(())
            };
            self.speak(load, SETTLE, begin, window, || look(running)).await?
        };
        Ok((before, after))
    }

    async fn speak<T>(
        &self,
        load: &Arc<Load>,
        settle: Duration,
        begin: impl FnOnce() -> anyhow::Result<()>,
        window: Duration,
        end: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let stop = Arc::new(AtomicBool::new(false));
        let speaker = {
            let (load, stop) = (Arc::clone(load), Arc::clone(&stop));
            self.tasks.spawn(async move { load.speak(&stop).await })
        };
        sleep(settle).await;
        let started = begin();
        sleep(window).await;
        let ended = end();
        stop.store(true, Ordering::Release);
        speaker.await.context("the load broke")?;
        started?;
        sleep(SETTLE).await;
        ended
    }
}

struct SetUp {
    load: Arc<Load>,
    rate: f64,
}

/// What the contender, the load and the machine have used up to a moment.
#[derive(Debug, Clone, Copy, Default)]
struct Look {
    usage: Usage,
    own: Usage,
    machine: Machine,
}

struct Window {
    before: Look,
    after: Look,
    seconds: f64,
}

impl Window {
    #[expect(clippy::cast_precision_loss, reason = "calls are counted in thousands")]
    fn outcome(self, contender: Contender, idle: Usage, set_up_rate: f64, load: &Load) -> Outcome {
        let Self { before, after, .. } = self;
        let calls = load.calls.len();
        let carried = (load.findings.to_agent.len() + load.findings.to_carrier.len()).max(1);
        let cpu = after.usage.cpu - before.usage.cpu;
        let per_call = |kib: f64| kib / calls as f64;
        Outcome {
            contender,
            calls,
            cpu_per_call_minute: cpu * load.traffic.frames_a_minute() / carried as f64,
            memory_per_call: per_call(after.usage.rss - idle.rss),
            memory_growth: per_call(after.usage.rss - before.usage.rss),
            threads: after.usage.threads,
            set_up_rate,
            doubts: self.doubts(&load.findings),
            findings: Arc::clone(&load.findings),
        }
    }

    fn doubts(&self, findings: &Findings) -> Vec<String> {
        let Self { before, after, seconds } = self;
        let mut doubts = Vec::new();
        let slip = findings.slip.quantile_us(0.99);
        if slip > SLIP_LIMIT_US {
            doubts.push(format!("the load itself was late: one frame in a hundred by {:.1} ms or more", slip / 1000.0));
        }
        let ours = after.usage.cpu - before.usage.cpu + after.own.cpu - before.own.cpu;
        let others = (after.machine.busy - before.machine.busy - ours) / seconds;
        if others > OTHERS_LIMIT {
            doubts.push(format!("something else used {others:.2} cores of this machine"));
        }
        let steal = (after.machine.steal - before.machine.steal) / seconds;
        if steal > OTHERS_LIMIT {
            doubts.push(format!("the hypervisor took {steal:.2} cores away"));
        }
        doubts
    }
}

/// The calls end as calls do: the carrier says `stop`, and then that they are completed.
async fn hang_up(contender: Contender, running: &Running, load: &Load) -> anyhow::Result<()> {
    for line in load.calls.iter().filter_map(|call| call.carrier.get()) {
        line.say(r#"{"event":"stop","sequenceNumber":"9","stop":{"accountSid":"AC00000000000000000000000000000001"}}"#);
        Line::close(line);
    }
    if !contender.is_product() {
        return Ok(());
    }
    let http = http()?;
    for index in 0..load.calls.len() {
        let sid = call_sid(load.sid_number(index));
        let form = [("AccountSid", ACCOUNT), ("CallSid", &*sid), ("CallStatus", "completed"), ("SequenceNumber", "3")];
        post(&http, running, "/webhooks/status-callback", &form).await?;
    }
    Ok(())
}

fn http() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().no_proxy().build()?)
}

/// Posts a form as the carrier does, signed.
async fn post(http: &reqwest::Client, running: &Running, path: &str, form: &[(&str, &str)]) -> anyhow::Result<String> {
    let url = format!("http://{}{path}", running.address);
    let pairs: Vec<_> = form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let signature = sign(&Secret::new(AUTH_TOKEN), Algorithm::HmacSha1, &url, &pairs);
    let answer = http.post(&url).header("x-twilio-signature", signature).form(form).send().await;
    let answer = answer.with_context(|| format!("{path} was not answered; {}", running.last_words()))?;
    let status = answer.status();
    let text = answer.text().await?;
    ensure!(status.is_success(), "{path} was answered with {status}: {text}; {}", running.last_words());
    Ok(text)
}
