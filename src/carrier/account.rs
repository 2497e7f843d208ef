//! The account itself: whether the credentials work and what kind of account it is.

use reqwest::Method;

use super::client::{Request, TwilioClient};
use super::error::CarrierError;
use crate::protocol::twilio::rest::AccountResource;

impl TwilioClient {
    /// Asks for the account. A Standard API key may not; that is an error 20003 like wrong credentials.
    pub async fn fetch_account(&self) -> Result<AccountResource, CarrierError> {
        let template = "/2010-04-01/Accounts/{account}.json";
        let request = Request { method: Method::GET, template, segments: &[], parameters: &[] };
        self.send(&request).await?.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{TestServer, client};

    #[tokio::test]
    async fn a_trial_account_is_recognised() {
        let server =
            TestServer::start(|_| (200, include_str!("../../tests/fixtures/twilio/rest_account_trial.json"))).await;
        assert!(client(&server.url).fetch_account().await.unwrap().is_trial());
        assert_eq!(server.requests()[0].target, "/2010-04-01/Accounts/AC00000000000000000000000000000001.json");
    }
}
