//! Twilio's wire formats: media stream messages, webhook forms, signatures, REST bodies, TwiML.
