//! The tools, one a file: what models read about it, its arguments, what it returns, and what it does.

pub(super) mod add_to_dnc;
pub(super) mod check_dnc_status;
pub(super) mod check_tcpa_compliance;
pub(super) mod elevenlabs_create_agent;
pub(super) mod elevenlabs_get_agent;
pub(super) mod elevenlabs_get_voice;
pub(super) mod elevenlabs_list_agents;
pub(super) mod elevenlabs_list_voices;
pub(super) mod elevenlabs_update_agent;
pub(super) mod end_call;
pub(super) mod get_call_history;
pub(super) mod get_call_status;
pub(super) mod get_call_transcript;
pub(super) mod get_lead;
pub(super) mod initiate_call_with_compliance;
pub(super) mod list_active_calls;
pub(super) mod record_consent;
pub(super) mod revoke_consent;
pub(super) mod search_leads;
pub(super) mod send_dtmf;
pub(super) mod send_message_to_agent;
pub(super) mod transfer_call;
pub(super) mod twilio_end_call;
pub(super) mod twilio_get_call;
pub(super) mod twilio_make_call;
pub(super) mod twilio_record_call;
pub(super) mod upsert_lead;
pub(super) mod verify_consent;
pub(super) mod wait_for_call;

mod elevenlabs;
mod placing;
mod whom;
