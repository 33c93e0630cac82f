//! What a token says that is believed (RFC 7519 section 4, RFC 7662 section 2.2).

use auth::TokenIdentity;
use jiff::Timestamp;

use crate::json::{Json, Object};
use crate::rules::Rules;

/// Longest login name that is taken from a token.
const LOGIN_MAX: usize = 320;

/// Why a token is refused: for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    TooLong,
    NotJwt,
    Base64,
    Header,
    Algorithm,
    Type,
    UnknownKey,
    Signature,
    Payload,
    Inactive,
    Issuer,
    Audience,
    Expired,
    NotYet,
    Scope,
    Required,
    Login,
}

impl Refusal {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::NotJwt => "no-jwt",
            Self::Base64 => "bad-base64",
            Self::Header => "bad-header",
            Self::Algorithm => "algorithm-not-allowed",
            Self::Type => "other-type",
            Self::UnknownKey => "unknown-key",
            Self::Signature => "wrong-signature",
            Self::Payload => "bad-payload",
            Self::Inactive => "not-active",
            Self::Issuer => "other-issuer",
            Self::Audience => "other-audience",
            Self::Expired => "expired",
            Self::NotYet => "not-yet-valid",
            Self::Scope => "scope-missing",
            Self::Required => "required-claim-missing",
            Self::Login => "no-login-claim",
        }
    }
}

/// Whether what was left out is taken as right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// A signed token must say whose it is, for whom, and until when.
    Signed,
    /// The issuer itself has just said that the token is good.
    Asked,
}

impl Rules {
    /// Whose token it is, if all that it says is as it must be at `now`.
    pub(crate) fn judge(
        &self,
        claims: &Object,
        strictness: Strictness,
        now: Timestamp,
    ) -> Result<TokenIdentity, Refusal> {
        self.judge_parties(claims, strictness)?;
        let expires = self.judge_time(claims, strictness, now)?;
        if !self.scopes.iter().all(|scope| has_scope(claims, scope)) {
            return Err(Refusal::Scope);
        }
        let holds = |(claim, value): &(String, String)| {
            claims.get(claim).is_some_and(|found| found.says(value))
        };
        if !self.required.iter().all(holds) {
            return Err(Refusal::Required);
        }
        Ok(TokenIdentity { login: self.login(claims)?, expires })
    }

    fn judge_parties(&self, claims: &Object, strictness: Strictness) -> Result<(), Refusal> {
        let may_lack = strictness == Strictness::Asked;
        match claims.get("iss") {
            None if may_lack => {}
            _ if may_lack && self.issuer.is_empty() => {}
            Some(Json::Text(issuer)) if *issuer == self.issuer => {}
            _ => return Err(Refusal::Issuer),
        }
        let is_ours = |name: &Json| {
            name.text().is_some_and(|name| self.audience.iter().any(|ours| ours == name))
        };
        let is_meant = match claims.get("aud") {
            _ if may_lack && self.audience.is_empty() => true,
            Some(Json::List(list)) => list.iter().any(is_ours),
            Some(one) => is_ours(one),
            None => false,
        };
        if is_meant { Ok(()) } else { Err(Refusal::Audience) }
    }

    fn judge_time(
        &self,
        claims: &Object,
        strictness: Strictness,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Refusal> {
        let leeway = self.leeway.as_secs_f64();
        let now = now.as_duration().as_secs_f64();
        let instant = |name: &str, wrong| match claims.get(name) {
            None => Ok(None),
            Some(value) => value.number().map(Some).ok_or(wrong),
        };
        for name in ["nbf", "iat"] {
            if instant(name, Refusal::NotYet)?.is_some_and(|begins| begins > now + leeway) {
                return Err(Refusal::NotYet);
            }
        }
        match instant("exp", Refusal::Expired)? {
            Some(ends) if ends + leeway > now => {
                // What is beyond the calendar has no end that matters.
                #[allow(clippy::cast_possible_truncation, reason = "it saturates")]
                let ends = Timestamp::from_second(ends as i64).unwrap_or(Timestamp::MAX);
                Ok(Some(ends))
            }
            None if strictness == Strictness::Asked => Ok(None),
            _ => Err(Refusal::Expired),
        }
    }

    fn login(&self, claims: &Object) -> Result<String, Refusal> {
        // Anybody can claim an address at some issuers, before it was verified.
        if self.login_claim == "email"
            && claims.get("email_verified").is_some_and(|verified| !verified.says("true"))
        {
            return Err(Refusal::Login);
        }
        let login = claims.get(&self.login_claim).and_then(Json::text).ok_or(Refusal::Login)?;
        if login.is_empty() || login.len() > LOGIN_MAX || login.chars().any(char::is_control) {
            return Err(Refusal::Login);
        }
        match self.domain.is_empty() || login.contains('@') {
            true => Ok(login.to_owned()),
            false => Ok(format!("{login}@{}", self.domain)),
        }
    }
}

impl Json {
    /// Whether this is `value`, or a list that holds it.
    fn says(&self, value: &str) -> bool {
        match self {
            Self::Text(text) => text == value,
            Self::Bool(bool) => value == if *bool { "true" } else { "false" },
            Self::Number(number) => number.to_string() == value,
            Self::List(list) => {
                list.iter().any(|one| !matches!(one, Self::List(_)) && one.says(value))
            }
            Self::Null | Self::Object(_) => false,
        }
    }
}

/// `scope`: words in one text (RFC 8693 section 4.2). Some issuers write a list, or `scp`.
fn has_scope(claims: &Object, wanted: &str) -> bool {
    ["scope", "scp"].iter().filter_map(|name| claims.get(*name)).any(|scope| match scope {
        Json::Text(words) => words.split(' ').any(|word| word == wanted),
        Json::List(list) => list.iter().any(|one| one.text() == Some(wanted)),
        _ => false,
    })
}
