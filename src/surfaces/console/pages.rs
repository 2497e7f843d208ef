//! The pages: who is signed in, what they may do, and the frame that the page's script fills.

use std::sync::Arc;

use askama::Template;
use axum::extract::{FromRequestParts, Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::app::{App, Session};
use crate::config::is_loopback;
use crate::domain::access::Scope;
use crate::domain::{AgentRef, AgentVendor};
use crate::surfaces::auth;
use crate::surfaces::problem::Problem;

use super::assets;

/// What every page's frame shows.
pub(super) struct Frame {
    digest: &'static str,
    theme: &'static str,
    csrf: String,
    name: String,
    role: &'static str,
    /// What may be done, for the scripts: what is missing here is not shown. The server refuses it all the same.
    scopes: String,
    /// Where the emulated carrier's phones are, if the carrier is one.
    phone: String,
    /// The clock is not the real one.
    shifted: bool,
}

/// Whoever is signed in; everybody else is led to the sign-in page.
pub(super) struct Visitor(Session);

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let session = match auth::cookie(&parts.headers, auth::COOKIE) {
            Some(cookie) => {
                app.find_session(cookie).await.map_err(|error| Problem::internal(&error).into_response())?
            }
            None => None,
        };
        session.map(Self).ok_or_else(|| {
            let next = parts.uri.path_and_query().map_or("/console", |target| target.as_str());
            let query = serde_urlencoded::to_string([("next", next)]).unwrap_or_default();
            Redirect::to(&format!("/console/sign-in?{query}")).into_response()
        })
    }
}

impl Visitor {
    fn frame(self, app: &App, headers: &HeaderMap) -> Frame {
        let Self(Session { name, access, csrf, .. }) = self;
        let scopes = Scope::ALL.into_iter().filter(|scope| access.may(*scope)).map(|scope| scope.to_string());
        Frame {
            digest: &assets::DIGEST,
            theme: theme(headers),
            csrf,
            name,
            role: access.role.as_str(),
            scopes: scopes.collect::<Vec<_>>().join(" "),
            phone: phone_socket(app).map(|socket| socket.url).unwrap_or_default(),
            shifted: app.clock.is_shifted(),
        }
    }
}

/// Light, dark, or what the system says.
pub(super) fn theme(headers: &HeaderMap) -> &'static str {
    match auth::cookie(headers, "clearline_theme") {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "auto",
    }
}

/// The emulated carrier's socket for phones.
pub(super) struct PhoneSocket {
    pub origin: String,
    pub url: String,
}

/// A carrier on this machine is an emulated one, and lets a browser be a phone.
pub(super) fn phone_socket(app: &App) -> Option<PhoneSocket> {
    let url = url::Url::parse(&app.config.carrier.twilio.api_url).ok()?;
    let origin = url.origin().ascii_serialization().strip_prefix("http://").map(|host| format!("ws://{host}"))?;
    is_loopback(&url).then(|| PhoneSocket { url: format!("{origin}/_emulator/phone"), origin })
}

pub(super) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}

pub(super) async fn home() -> Redirect {
    Redirect::to("/console")
}

macro_rules! pages {
    ($($name:ident $page:ident $file:literal;)*) => {$(
        #[derive(Template)]
        #[template(path = $file)]
        struct $page {
            frame: Frame,
        }

        pub(super) async fn $name(State(app): State<Arc<App>>, visitor: Visitor, headers: HeaderMap) -> Response {
            html(&$page { frame: visitor.frame(&app, &headers) })
        }
    )*};
}

pages! {
    live LivePage "live.html";
    calls CallsPage "calls.html";
    decisions DecisionsPage "decisions.html";
    numbers NumbersPage "numbers.html";
    health HealthPage "health.html";
    audit AuditPage "audit.html";
}

/// The number of the browser's phone, unless its user types another one. The demo has a permission on record to call it.
pub const PHONE_NUMBER: &str = "+12125550114";

#[derive(Template)]
#[template(path = "phone.html")]
struct PhonePage<'a> {
    frame: Frame,
    phone_number: &'a str,
    own_number: &'a str,
    /// Who may call the phone, the default first.
    agents: Vec<PhoneAgent>,
}

/// An agent that may call the phone, or one that cannot.
struct PhoneAgent {
    name: String,
    remark: &'static str,
    is_reachable: bool,
}

impl PhoneAgent {
    fn new(app: &App, agent: &AgentRef) -> Self {
        let agents = &app.config.agents;
        let own = agents.own.get(&agent.id).filter(|own| own.vendor() == Some(agent.vendor));
        let api_url = own.map_or(&agents.elevenlabs.api_url, |own| &own.url);
        let is_emulated =
            agent.vendor == AgentVendor::ElevenLabs && url::Url::parse(api_url).is_ok_and(|url| is_loopback(&url));
        let is_reachable = !app.hands_over(agent);
        let remark = match (is_reachable, is_emulated) {
            (false, _) => " (needs a real carrier)",
            (true, true) => " (emulated)",
            (true, false) => "",
        };
        Self { name: agent.to_string(), remark, is_reachable }
    }
}

pub(super) async fn phone(State(app): State<Arc<App>>, visitor: Visitor, headers: HeaderMap) -> Response {
    let own_number = app.config.carrier.twilio.from.as_str();
    let agents = app.config.agents.all().iter().map(|agent| PhoneAgent::new(&app, agent)).collect();
    html(&PhonePage { frame: visitor.frame(&app, &headers), phone_number: PHONE_NUMBER, own_number, agents })
}

#[derive(Template)]
#[template(path = "call.html")]
struct CallPage {
    frame: Frame,
    id: String,
}

pub(super) async fn call(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match id.parse::<crate::domain::CallId>() {
        Ok(id) => html(&CallPage { frame: visitor.frame(&app, &headers), id: id.to_string() }),
        Err(_) => (StatusCode::NOT_FOUND, "There is no call with this id.\n").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_themes_are_taken_from_a_cookie() {
        let headers =
            |text: &'static str| HeaderMap::from_iter([(http::header::COOKIE, http::HeaderValue::from_static(text))]);
        assert_eq!(theme(&headers("a=b; clearline_theme=dark")), "dark");
        assert_eq!(theme(&headers("clearline_theme=\"><script>")), "auto");
    }
}
