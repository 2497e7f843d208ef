//! The account itself: whether the credentials work, what kind of account it is, and what time it is there.

use jiff::Timestamp;
use reqwest::Method;

use super::client::{Request, TwilioClient};
use super::error::CarrierError;
use crate::protocol::twilio::rest::AccountResource;

/// The account, and the carrier's clock when it told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountAnswer {
    pub account: AccountResource,
    /// To the second; none where the answer had no `Date`.
    pub answered_at: Option<Timestamp>,
}

impl TwilioClient {
    /// Asks for the account. A Standard API key may not; that is an error 20003 like wrong credentials.
    pub async fn fetch_account(&self) -> Result<AccountAnswer, CarrierError> {
        let template = "/2010-04-01/Accounts/{account}.json";
        let request = Request { method: Method::GET, template, segments: &[], parameters: &[] };
        let answer = self.send(&request).await?;
        Ok(AccountAnswer { account: answer.parse()?, answered_at: answer.date })
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_server::{TestServer, client};

    #[tokio::test]
    async fn a_trial_account_is_recognised_and_the_carriers_clock_is_read() {
        let server =
            TestServer::start(|_| (200, include_str!("../../tests/fixtures/twilio/rest_account_trial.json"))).await;
        let answer = client(&server.url).fetch_account().await.unwrap();
        assert!(answer.account.is_trial());
        assert!(answer.answered_at.is_some(), "HTTP servers tell the date");
        assert_eq!(server.requests()[0].target, "/2010-04-01/Accounts/AC00000000000000000000000000000001.json");
    }
}
