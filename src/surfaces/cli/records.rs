//! What can be typed about records and evidence: leads, consents, the ledger, the stop of outbound calls, a person's data.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::domain::decision::LineType;

use super::LineTypeArg;

/// An instant or a whole date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Instant(Timestamp),
    Date(Date),
}

/// The text is neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a date like 2026-12-01, or an instant like 2026-12-01T14:00:00Z")]
pub struct WhenError;

impl FromStr for When {
    type Err = WhenError;

    fn from_str(text: &str) -> Result<Self, WhenError> {
        if let Ok(instant) = text.parse() {
            return Ok(Self::Instant(instant));
        }
        // A civil date also reads from a text with a time, which would then be lost.
        let date = (text.len() == 10).then(|| text.parse().ok()).flatten();
        date.map(Self::Date).ok_or(WhenError)
    }
}

impl When {
    /// The instant; for a date the midnight (UTC) that begins it.
    pub fn instant(self) -> Timestamp {
        match self {
            Self::Instant(instant) => instant,
            Self::Date(date) => date.to_zoned(TimeZone::UTC).map_or(Timestamp::MIN, |zoned| zoned.timestamp()),
        }
    }

    /// The date; for an instant its date in UTC.
    pub fn date(self) -> Date {
        match self {
            Self::Instant(instant) => instant.to_zoned(TimeZone::UTC).date(),
            Self::Date(date) => date,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum LeadsCommand {
    /// Import a CSV file; every bad row is told, the good ones come in two thousand at a time (columns: docs/evidence.md)
    Import(ImportArgs),
    /// Record an established business relationship with whoever has a number (47 CFR 64.1200(f)(5))
    Relationship {
        number: String,
        #[arg(long)]
        kind: RelationshipArg,
        /// The day of the last purchase or inquiry (YYYY-MM-DD)
        #[arg(long)]
        on: Date,
    },
    /// Record what kind of line a number is
    LineType { number: String, line_type: LineTypeArg },
    /// List leads, newest first
    List(LeadListArgs),
    /// Show a lead by its id (lead_…), or the leads of a number
    Show {
        lead: String,
        #[arg(long)]
        json: bool,
    },
}

impl From<LineTypeArg> for LineType {
    fn from(arg: LineTypeArg) -> Self {
        match arg {
            LineTypeArg::Mobile => Self::Mobile,
            LineTypeArg::LandlineResidential => Self::LandlineResidential,
            LineTypeArg::LandlineBusiness => Self::LandlineBusiness,
        }
    }
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    pub file: PathBuf,
    /// Only say what is wrong with the file and what would be imported
    #[arg(long)]
    pub dry_run: bool,
    /// Bad rows and the result as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct LeadListArgs {
    #[arg(long)]
    pub status: Option<LeadStatusArg>,
    /// Part of the name, e-mail or a tag
    #[arg(long)]
    pub text: Option<String>,
    /// How many
    #[arg(long, default_value_t = 50)]
    pub limit: u32,
    /// Go on from where the last list said
    #[arg(long)]
    pub cursor: Option<String>,
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RelationshipArg {
    /// A purchase or transaction
    Purchase,
    /// An inquiry or application
    Inquiry,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LeadStatusArg {
    New,
    Contacted,
    Qualified,
    Disqualified,
}

#[derive(Debug, Subcommand)]
pub enum ConsentCommand {
    /// Record a permission
    Add(Box<ConsentAddArgs>),
    /// Import a CSV file; every bad row is told, the good ones come in two thousand at a time (columns: docs/evidence.md)
    Import(ImportArgs),
    /// Withdraw every permission for a number
    Revoke {
        number: String,
        /// What the person said or wrote
        #[arg(long, default_value = "")]
        words: String,
    },
    /// Show the permissions on record for a number, and whether they count today
    Show {
        number: String,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub struct ConsentAddArgs {
    pub number: String,
    /// How strong it is
    #[arg(long, default_value = "written")]
    pub kind: ConsentKindArg,
    /// What it covers; may be given again
    #[arg(long, default_value = "telemarketing")]
    pub scope: Vec<String>,
    /// The seller that may call, by its legal name; default: seller.name
    #[arg(long)]
    pub seller: Option<String>,
    /// When it was given (RFC 3339); default: now
    #[arg(long)]
    pub given_at: Option<Timestamp>,
    /// How it was given: `web_form`, paper, voice, …
    #[arg(long)]
    pub method: String,
    /// The words that the person agreed to
    #[arg(long)]
    pub text: String,
    /// Until when it is good (RFC 3339)
    #[arg(long)]
    pub expires_at: Option<Timestamp>,
    /// The page or document it was given on
    #[arg(long)]
    pub url: Option<String>,
    /// The address that it came from
    #[arg(long)]
    pub ip: Option<String>,
    #[arg(long)]
    pub user_agent: Option<String>,
    /// The id of a consent certificate
    #[arg(long)]
    pub certificate_id: Option<String>,
    #[arg(long)]
    pub certificate_url: Option<String>,
    /// The last day on which a reassigned-numbers query answered "no" for this consent (YYYY-MM-DD)
    #[arg(long)]
    pub rnd_checked: Option<Date>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ConsentKindArg {
    Express,
    Written,
}

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Prove that no decision was changed, removed or reordered, and that every dial stands under one decision
    Verify {
        /// A head written down earlier (a log line, an export); finds a cut tail and a rewrite too
        #[arg(long, value_name = "COUNT:HASH")]
        expect_head: Option<String>,
    },
    /// Make decisions again from their own record and the kept rule texts, and compare; exit code 1 if one differs
    Replay(ReplayArgs),
    /// Write the evidence for a call, a number or a period into a new folder: JSON and a page to read and print
    Export(ExportArgs),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ReplayArgs {
    /// A decision (dec_…)
    pub decision: Option<String>,
    /// Every decision of the ledger
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// A call, by our id (call_…) or Twilio's (CA…)
    #[arg(long, required_unless_present_any = ["number", "from"], conflicts_with_all = ["number", "from", "to"])]
    pub call: Option<String>,
    /// Every decision about a number
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub number: Option<String>,
    /// Every decision from this date or instant on
    #[arg(long, value_name = "WHEN", requires = "to")]
    pub from: Option<When>,
    /// … until before this one
    #[arg(long, value_name = "WHEN", requires = "from")]
    pub to: Option<When>,
    /// The folder to make
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Add the hashed line of every decision, so that the chain can be computed without the database
    #[arg(long)]
    pub chain: bool,
}

#[derive(Debug, Subcommand)]
pub enum OutboundCommand {
    /// Stop every outbound call at once, also those that wait; binds a running server's next dial
    Stop {
        /// Why, for those who read it later
        #[arg(long)]
        reason: String,
    },
    /// Let outbound calls through again, as far as the gate does
    Release {
        /// Why, for those who read it later
        #[arg(long)]
        reason: String,
    },
    /// Say whether outbound calls are stopped, and who stopped and released them before
    Show {
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum PrivacyCommand {
    /// Erase a person's data by their number, as far as the law lets it go; says what is kept and why
    Erase {
        number: String,
        /// It cannot be undone
        #[arg(long)]
        yes: bool,
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_or_an_instant_and_nothing_between() {
        let date = jiff::civil::date(2026, 12, 1);
        assert_eq!("2026-12-01".parse(), Ok(When::Date(date)));
        let noon: When = "2026-12-01T12:00:00-05:00".parse().unwrap();
        assert_eq!((noon.date(), noon.instant().to_string()), (date, "2026-12-01T17:00:00Z".to_owned()));
        assert_eq!(When::Date(date).instant().to_string(), "2026-12-01T00:00:00Z");
        for text in ["2026-12-01T12:00:00", "tomorrow", "2026-13-01", "20261201"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }
}
