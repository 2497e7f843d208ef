//! The sound of a recording, as the carrier keeps it.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};

use super::client::TwilioClient;
use super::error::CarrierError;
use crate::domain::RecordingSid;

/// A recording is up to four hours of sound, and whoever listens may read it slowly.
const LIMIT: Duration = Duration::from_mins(15);

/// A recording on its way, in WAV.
pub struct RecordingAudio<S> {
    /// In bytes, where the carrier says so.
    pub length: Option<u64>,
    pub bytes: S,
}

impl TwilioClient {
    pub async fn recording_audio(
        &self,
        sid: &RecordingSid,
    ) -> Result<RecordingAudio<impl Stream<Item = Result<Bytes, CarrierError>> + use<>>, CarrierError> {
        let file = format!("{sid}.wav");
        let response = self.download(&["Recordings", &file], LIMIT).await?;
        let length = response.content_length();
        let client = self.clone();
        let bytes =
            response.bytes_stream().map(move |chunk| chunk.map_err(|error| client.transport_error(&error))).boxed();
        Ok(RecordingAudio { length, bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{TestServer, client};
    use super::*;

    #[tokio::test]
    async fn the_sound_comes_with_our_credentials_and_a_missing_one_is_refused() {
        let server = TestServer::start(|n| if n == 0 { (200, "RIFF") } else { (404, "") }).await;
        let client = client(&server.url);
        let audio = client.recording_audio(&RecordingSid::new("RE1")).await.unwrap();
        let bytes: Vec<u8> = audio.bytes.map(|chunk| chunk.unwrap().to_vec()).concat().await;
        assert_eq!((audio.length, bytes.as_slice()), (Some(4), b"RIFF".as_slice()));
        let request = &server.requests()[0];
        assert!(request.target.ends_with("/Recordings/RE1.wav") && request.authorization.starts_with("Basic "));
        assert!(matches!(client.recording_audio(&RecordingSid::new("RE2")).await, Err(CarrierError::Refused(_))));
    }
}
