//! The doors: webhooks, REST, health, command line, later MCP and the console.

pub mod api;
mod auth;
pub mod cli;
mod health;
mod problem;
mod upgrade;
mod webhooks;

use std::sync::Arc;

use axum::Router;

use crate::app::App;

/// Everything that the server answers.
pub fn router(app: Arc<App>) -> Router {
    Router::new().merge(health::router()).merge(api::router()).merge(webhooks::router(&app)).with_state(app)
}
