//! `twilio_end_call`: the same as `end_call`, by Twilio's id.

use crate::domain::access::Scope;

use super::super::args::{Kind, required};
use super::super::tool::{Hints, ToolSpec};
use super::end_call;

pub(in super::super) const TOOL: ToolSpec = ToolSpec {
    name: "twilio_end_call",
    title: "End a call (Twilio terms)",
    description: "Ends one of this server's calls by Twilio's id, exactly as end_call does: the stream closes its books and Twilio \
                  hangs up. The other person is cut off. Ending a call that has ended is no error.",
    hints: Hints { open_world: true, ..Hints::WITHDRAW },
    scopes: &[Scope::CallsControl, Scope::CallsWrite],
    fields: &[required("call_sid", Kind::Call, "The call, by Twilio's id or ours.")],
    output: end_call::schema,
    shows_numbers: false,
    run: |asked| Box::pin(end_call::run(asked, "call_sid")),
};
