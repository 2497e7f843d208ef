//! Twilio Lookup v2 as a scrubbing vendor: its URL, and its answer in the gate's words.

use url::Url;

use super::client::ScrubAnswer;
use super::error::Failure;
use crate::compliance::facts::Reassigned;
use crate::domain::E164;
use crate::domain::decision::LineType;
use crate::protocol::twilio::lookup::{IsReassigned, LineKind, LookupAnswer, PackageFault, parse_lookup};

/// For the log: the path without the number.
pub(super) const TEMPLATE: &str = "/v2/PhoneNumbers/{PhoneNumber}";

/// Error 60606, "Lookup package is not enabled".
const NOT_ENABLED: u32 = 60_606;

pub(super) fn url(base: &Url, number: &E164) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["v2", "PhoneNumbers", number.as_str()]);
    }
    url
}

pub(super) fn read(body: &[u8], number: &E164) -> Result<ScrubAnswer, Failure> {
    let LookupAnswer { reassigned, line } = parse_lookup(body, number).ok_or(Failure::Unreadable)?;
    let reassigned = match reassigned {
        Ok(IsReassigned::Yes) => Reassigned::Yes,
        Ok(IsReassigned::No) => Reassigned::No,
        Ok(IsReassigned::NoDataAvailable) => Reassigned::NoData,
        Err(PackageFault::Code(NOT_ENABLED)) => return Err(Failure::NotEnabled),
        Err(PackageFault::Code(code)) => return Err(Failure::PackageError(code)),
        Err(PackageFault::NotAnswered) => return Err(Failure::NotAnswered),
    };
    // The vendor cannot tell a home from a business, and the home is the stricter; a line over the Internet may follow its owner
    // around and may be charged by the call (47 USC 227(b)(1)(A)(iii)), so it counts as a mobile, the strictest.
    let line_type = line.map(|line| match line {
        LineKind::Landline => LineType::LandlineResidential,
        LineKind::Mobile | LineKind::Other => LineType::Mobile,
    });
    Ok(ScrubAnswer { reassigned, line_type })
}
