//! The voices of the emulator: a few, always the same.

use serde_json::{Value, json};

use super::agents::DEFAULT_VOICE;

const VOICES: &[(&str, &str, &str)] = &[
    (DEFAULT_VOICE, "Eric", "male"),
    ("emulatedVoiceAva00000", "Ava", "female"),
    ("emulatedVoiceSam00000", "Sam", "male"),
];

/// All voices as the API shows them.
pub(super) fn all() -> Vec<Value> {
    VOICES
        .iter()
        .map(|(id, name, gender)| {
            json!({
                "voice_id": id,
                "name": name,
                "category": "premade",
                "labels": {"gender": gender, "accent": "american", "use_case": "conversational"},
                "description": "A voice of the emulator; it sounds like espeak-ng whatever it is called.",
                "preview_url": null,
                "available_for_tiers": [],
                "high_quality_base_model_ids": ["eleven_flash_v2"],
                "settings": {"stability": 0.5, "similarity_boost": 0.8, "style": 0.0, "use_speaker_boost": true, "speed": 1.0},
            })
        })
        .collect()
}
