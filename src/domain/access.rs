//! Who may do what: roles are sets of scopes, a key has a role and whatever else was granted to it by name.

use std::fmt;
use std::str::FromStr;

use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::Purpose;

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
    /// Claim the purpose `emergency`, for which the gate asks for no consent. Part of no role: only a grant by name gives it.
    #[serde(rename = "calls:emergency")]
    CallsEmergency,
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

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The text names no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is like calls:read, calls:emergency, numbers:read or metrics")]
pub struct ScopeError;

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
        Self::deserialize(deserializer).map_err(|_| ScopeError)
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
            Self::Admin => scope != Scope::CallsEmergency,
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

/// What somebody may do: the scopes of a role, and those granted beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub role: Role,
    pub granted: Vec<Scope>,
}

impl From<Role> for Access {
    fn from(role: Role) -> Self {
        Self { role, granted: Vec::new() }
    }
}

/// A purpose that somebody may claim for a call. Only [`Access::claim`] makes one, so that no door can forget to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimedPurpose(Purpose);

/// A purpose was claimed for which a scope is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scope `{0}` is missing")]
pub struct MissingScope(pub Scope);

impl Access {
    pub fn may(&self, scope: Scope) -> bool {
        self.role.may(scope) || self.granted.contains(&scope)
    }

    /// Claims a purpose. Which purposes may be claimed at all is a setting; an emergency needs a scope of its own as well.
    pub fn claim(&self, purpose: Purpose) -> Result<ClaimedPurpose, MissingScope> {
        if purpose == Purpose::Emergency && !self.may(Scope::CallsEmergency) {
            return Err(MissingScope(Scope::CallsEmergency));
        }
        Ok(ClaimedPurpose(purpose))
    }
}

impl From<ClaimedPurpose> for Purpose {
    fn from(claimed: ClaimedPurpose) -> Self {
        claimed.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_place_calls_and_do_not_see_numbers() {
        assert!(Role::Agent.may(Scope::CallsWrite) && !Role::Agent.may(Scope::NumbersRead));
        assert!(Role::Operator.may(Scope::CallsControl) && !Role::Operator.may(Scope::CallsWrite));
        assert!(!Role::Viewer.may(Scope::CallsControl) && Role::Admin.may(Scope::Admin));
    }

    #[test]
    fn an_emergency_is_claimed_by_those_alone_to_whom_it_was_granted() {
        for role in [Role::Viewer, Role::Operator, Role::Agent, Role::Admin] {
            let access = Access::from(role);
            assert_eq!(access.claim(Purpose::Emergency), Err(MissingScope(Scope::CallsEmergency)), "{role:?}");
            assert_eq!(access.claim(Purpose::Telemarketing).map(Purpose::from), Ok(Purpose::Telemarketing));
            let granted = Access { granted: vec![Scope::CallsEmergency], ..access };
            assert_eq!(granted.claim(Purpose::Emergency).map(Purpose::from), Ok(Purpose::Emergency));
        }
    }

    #[test]
    fn scopes_read_as_they_print() {
        for scope in [Scope::CallsEmergency, Scope::Metrics, Scope::NumbersRead] {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        assert_eq!("calls:everything".parse::<Scope>(), Err(ScopeError));
    }
}
