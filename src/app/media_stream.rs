//! One media stream of a call, from its socket to its end: admission by token, the relay, and what the stream asks for meanwhile.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::agents::DialledSocket;
use crate::domain::agent_link::Initiation;
use crate::domain::audio::MulawChunk;
use crate::domain::carrier_stream::StreamStart;
use crate::protocol::tones;
use crate::relay::{self, Admission, Hooks, Request, Socket, StreamSummary};
use crate::session::{Command, Steer, Terms};

use super::App;
use super::live_calls::LiveCall;
use super::recognise::{self, RECOGNITION_LIMIT};
use super::steer_call::chunk;

/// Commands that may wait for a stream.
const COMMANDS: usize = 64;

/// Shared by all calls.
static COMFORT: LazyLock<MulawChunk> = LazyLock::new(|| chunk(&tones::comfort()));

/// The name of the `<Parameter>` that holds the stream's token.
const TOKEN: &str = "token";

impl App {
    /// A place for one more media socket; none when the server is full.
    pub fn media_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.media_places).try_acquire_owned().ok()
    }

    /// Carries one stream to its end, on the runtime on which this is called. No `async fn`, which would keep room for the socket beside
    /// the stream that has it.
    pub fn run_media_stream<C: Socket>(self: &Arc<Self>, socket: C) -> impl Future<Output = ()> + Send + use<C> {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let lane = commands.downgrade();
        let app = Arc::clone(self);
        let hooks = Hooks {
            admit: Box::new(move |start| app.admit(start, commands)),
            recorder: self.journal.stream_lane(),
            ask: self.off_the_path(),
            looks: self.looks.clone(),
        };
        let stream = relay::run(socket, Arc::clone(&self.session_config), hooks, inbox);
        let app = Arc::clone(self);
        async move {
            app.metrics.open_streams.inc();
            let summary = stream.await;
            app.close_books(summary, &lane);
        }
    }

    fn close_books(self: &Arc<Self>, summary: StreamSummary, lane: &mpsc::WeakSender<Box<Command>>) {
        self.metrics.open_streams.dec();
        self.metrics.interim_dropped.inc_by(summary.interim_dropped);
        if summary.unrecorded > 0 {
            tracing::error!(events = summary.unrecorded, "the journal did not take the last events of a stream");
        }
        let Some(call) = summary.call_id.and_then(|id| self.live.by_id(id)) else { return };
        if let Some(ended) = summary.ended {
            self.metrics.stream_ended(&ended.counters);
            self.stream_ended(&call, ended.cause);
        }
        call.close_stream(lane);
    }

    /// Whether this stream is ours, by its token.
    fn admit(
        self: &Arc<Self>,
        start: &StreamStart,
        commands: mpsc::Sender<Box<Command>>,
    ) -> Result<Admission<DialledSocket>, String> {
        let refuse = |why: &str| {
            tracing::warn!(call.sid = %start.call_sid, why, "a media stream was refused");
            Err(why.to_owned())
        };
        let Some(call) = self.live.by_sid(&start.call_sid) else {
            return refuse("no such call is live");
        };
        if let Err(error) = call.redeem_token(start.parameters.get(TOKEN).map(String::as_str), self.clock.now()) {
            return refuse(&error.to_string());
        }
        if call.is_over() {
            return refuse("the call is over");
        }
        let record = call.record();
        // The stream before broke while an operator had the call, had muted the agent or held the call: this one begins so.
        let operator = call.operator();
        let is_operators = self.hands_over(&record.agent);
        if is_operators && operator.is_none() {
            // The carrier goes on to the redirect, which hands the call over.
            return refuse("the operator it was for is gone");
        }
        let steps = [
            (operator.clone().filter(|_| !is_operators), Steer::TakeOver),
            (record.muted_by.clone(), Steer::Mute),
            (record.held_by.clone(), Steer::Hold { tone: chunk(&tones::hold()) }),
        ];
        for (by, what) in steps {
            // The lane is empty.
            let _ = by.map(|by| commands.try_send(Box::new(Command::Steer { by, what })));
        }
        self.recognise(&call, commands.clone());
        call.open_stream(commands);
        let app = Arc::clone(self);
        let agents = self.agents_of(&record.agent, record.to.as_str());
        let operator = operator.filter(|_| is_operators);
        let terms = Terms { agents: agents.clone(), operator, ..self.terms(&call, start) };
        Ok(Admission {
            call_id: call.id,
            terms,
            tap: Arc::clone(&call.tap),
            warmed: call.take_warm_agent().map(super::warm_agent::WarmAgent::dialing),
            dial: Box::new(move |place| {
                app.begin_dialing(agents[place.min(agents.len() - 1)].clone(), &call).dialing()
            }),
        })
    }

    fn terms(&self, call: &LiveCall, start: &StreamStart) -> Terms {
        let record = call.record();
        let hold_back = self.hold_back(call, &record);
        let mut variables = recognise::unknown_variables(&record);
        variables.extend(record.dynamic_variables);
        // ElevenLabs fills its own caller variables only for calls it carries itself, so these are ours.
        variables.insert("caller_number".to_owned(), record.from.as_str().into());
        variables.insert("called_number".to_owned(), record.to.as_str().into());
        variables.insert("call_sid".to_owned(), start.call_sid.as_str().into());
        variables.insert("call_id".to_owned(), call.id.to_string().into());
        Terms {
            initiation: Initiation {
                dynamic_variables: variables,
                tools: self.tool_definitions(),
                first_message: call.opening().filter(|_| !record.agent_was_heard),
                so_far: None,
            },
            max_duration: self.time_left(call),
            warn_before_end: Duration::from_secs(self.config.calls.warn_before_end_s),
            hold_back,
            recognition: Some(RECOGNITION_LIMIT),
            notes: call.take_notes(),
            comfort: Some(COMFORT.clone()),
            agents: Vec::new(),
            operator: None,
            approved_tools: self.config.agents.elevenlabs.approved_tools.iter().cloned().collect::<BTreeSet<_>>(),
        }
    }

    /// How long the call may still last.
    pub(super) fn time_left(&self, call: &LiveCall) -> Duration {
        let spent = call
            .record()
            .answered_at
            .map_or(Duration::ZERO, |at| Duration::try_from(self.clock.now().duration_since(at)).unwrap_or_default());
        self.config.calls.max_duration().saturating_sub(spent)
    }

    /// Does what a stream asks for on other threads than those of the audio.
    fn off_the_path(self: &Arc<Self>) -> Box<dyn Fn(Request) + Send> {
        let app = Arc::clone(self);
        Box::new(move |request| {
            let serving = Arc::clone(&app);
            app.tracker.spawn_on(async move { serving.serve(request).await }, &app.main_runtime);
        })
    }

    async fn serve(self: &Arc<Self>, request: Request) {
        let (Request::HangUp { call_id, .. } | Request::RunTool { call_id, .. }) = request;
        let Some(call) = self.live.by_id(call_id) else { return };
        match request {
            Request::HangUp { .. } => self.end_from_stream(&call).await,
            Request::RunTool { call: tool, .. } => self.run_tool(&call, *tool).await,
        }
    }
}
