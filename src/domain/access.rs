//! Who may do what: roles are sets of scopes, keys have a role.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One thing that a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    #[serde(rename = "calls:read")]
    CallsRead,
    /// Place calls.
    #[serde(rename = "calls:write")]
    CallsWrite,
    /// Step into calls: end them, steer them.
    #[serde(rename = "calls:control")]
    CallsControl,
    #[serde(rename = "compliance:read")]
    ComplianceRead,
    #[serde(rename = "compliance:write")]
    ComplianceWrite,
    /// See numbers in full.
    #[serde(rename = "numbers:read")]
    NumbersRead,
    #[serde(rename = "metrics")]
    Metrics,
    /// Keys and settings.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    pub const ALL: [Self; 8] = [
        Self::CallsRead,
        Self::CallsWrite,
        Self::CallsControl,
        Self::ComplianceRead,
        Self::ComplianceWrite,
        Self::NumbersRead,
        Self::Metrics,
        Self::Admin,
    ];

    /// As it is written in keys and tokens, `calls:read`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CallsRead => "calls:read",
            Self::CallsWrite => "calls:write",
            Self::CallsControl => "calls:control",
            Self::ComplianceRead => "compliance:read",
            Self::ComplianceWrite => "compliance:write",
            Self::NumbersRead => "numbers:read",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A named set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Operator,
    Agent,
    Admin,
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is viewer, operator, agent or admin")]
pub struct RoleError;

impl Role {
    pub fn may(self, scope: Scope) -> bool {
        match self {
            Self::Viewer => matches!(scope, Scope::CallsRead | Scope::ComplianceRead),
            Self::Operator => matches!(
                scope,
                Scope::CallsRead
                    | Scope::ComplianceRead
                    | Scope::CallsControl
                    | Scope::ComplianceWrite
                    | Scope::NumbersRead
            ),
            Self::Agent => {
                matches!(scope, Scope::CallsRead | Scope::CallsWrite | Scope::ComplianceRead | Scope::ComplianceWrite)
            }
            Self::Admin => true,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        [Self::Viewer, Self::Operator, Self::Agent, Self::Admin]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(RoleError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_it_is_published() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string(), scope.as_str());
        }
    }

    #[test]
    fn agents_place_calls_and_do_not_see_numbers() {
        assert!(Role::Agent.may(Scope::CallsWrite) && !Role::Agent.may(Scope::NumbersRead));
        assert!(Role::Operator.may(Scope::CallsControl) && !Role::Operator.may(Scope::CallsWrite));
        assert!(!Role::Viewer.may(Scope::CallsControl) && Role::Admin.may(Scope::Admin));
    }
}
