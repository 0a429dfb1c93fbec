//! The rules that decide on a session's tool calls, in Aegis' own form and in that of older clients.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::domain::{Decision, ErrorCode, PolicyRule, SessionId};
use crate::http::call::Call;
use crate::http::door::HttpDoor;
use crate::http::input::{Body, Id};
use crate::http::refusal::{Refusal, Reply};
use crate::http::route::Route;
use crate::ops::{SessionRef, SetPolicy};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/v1/sessions/{id}/permissions", rules)
            .says("Tells the session's own rules on tool calls, in order.")
            .gives::<Rules>(200),
        Route::put("/v1/sessions/{id}/permissions", set_rules)
            .says("Puts other rules in their place, from the next tool call on.")
            .needs(Permission::Approve)
            .body::<Vec<Rule>>()
            .gives::<Rules>(200),
        Route::get("/v1/sessions/{id}/permission-profile", profile)
            .says("Tells the same rules as a profile; null if there are none.")
            .gives::<ProfileTold>(200),
        Route::put("/v1/sessions/{id}/permission-profile", set_profile)
            .says("Puts a profile's rules in the place of the session's own, from the next tool call on.")
            .needs(Permission::Approve)
            .body::<Profile>()
            .gives::<ProfileTold>(200),
    ]
}

/// A session's own rules; those of the configuration come after them.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Rules {
    permission_policy: Vec<PolicyRule>,
}

/// A rule on tool calls; the first that matches decides.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    /// The tool's name; `*` stands for any characters. Older clients call it `toolName`; any tool unless given.
    #[serde(default = "any", alias = "toolName")]
    tool: String,
    /// What the call must be, whole; `*` stands for any characters. Older clients call it `commandPattern`.
    #[serde(default, alias = "commandPattern")]
    pattern: Option<String>,
    /// Directories or files that the call's paths must lie in.
    #[serde(default)]
    paths: Option<Vec<String>>,
    /// Only tools that change nothing, or only the others.
    #[serde(default)]
    read_only: Option<bool>,
    /// What is decided. Older clients call it `ruleBehavior`.
    #[serde(alias = "ruleBehavior")]
    decision: Decision,
    /// Read and ignored: where an older client has the rule from.
    #[serde(default, rename = "source")]
    _source: Option<String>,
}

fn any() -> String {
    "*".into()
}

impl From<Rule> for PolicyRule {
    fn from(rule: Rule) -> Self {
        let Rule { tool, pattern, paths, read_only, decision, _source } = rule;
        Self { tool, pattern, paths, read_only, decision }
    }
}

async fn told(door: &HttpDoor, call: &Call, id: SessionId) -> Reply<Vec<PolicyRule>> {
    Ok(door.aegis.get_policy(&call.caller, SessionRef { session_id: id.to_string() }).await?)
}

async fn set(door: &HttpDoor, call: &Call, id: SessionId, rules: Vec<PolicyRule>) -> Reply<Vec<PolicyRule>> {
    let request = SetPolicy { session_id: id.to_string(), rules };
    match door.aegis.set_policy(&call.caller, request).await {
        // The door can do it; this session cannot, as it was launched.
        Err(error) if error.code == ErrorCode::Unsupported => {
            Err(Refusal::from(error).status(StatusCode::CONFLICT))
        }
        told => Ok(told?),
    }
}

async fn rules(State(door): State<HttpDoor>, call: Call, Id(id): Id<SessionId>) -> Reply<Json<Rules>> {
    Ok(Json(Rules { permission_policy: told(&door, &call, id).await? }))
}

async fn set_rules(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(rules): Body<Vec<Rule>>,
) -> Reply<Json<Rules>> {
    let rules = rules.into_iter().map(PolicyRule::from).collect();
    Ok(Json(Rules { permission_policy: set(&door, &call, id, rules).await? }))
}

/// Rules with what becomes of calls that none matches.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    /// What becomes of calls that no rule matches: `ask` leaves them to Claude Code, which asks as ever.
    default_behavior: Decision,
    #[schemars(length(max = 100))]
    rules: Vec<ProfileRule>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProfileRule {
    tool: String,
    behavior: Decision,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    constraints: Option<Constraints>,
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Constraints {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_only: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    paths: Option<Vec<String>>,
    /// Not offered: rules do not look into what is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_file_size: Option<u64>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ProfileTold {
    permission_profile: Option<Profile>,
}

impl Profile {
    fn into_rules(self) -> Result<Vec<PolicyRule>, Refusal> {
        let rule = |rule: ProfileRule| {
            let constraints = rule.constraints.unwrap_or_default();
            if constraints.max_file_size.is_some() {
                return Err(Refusal::invalid("Invalid permission profile: maxFileSize is not offered")
                    .hint("leave it out, or deny the tool for these paths"));
            }
            Ok(PolicyRule {
                tool: rule.tool,
                pattern: rule.pattern,
                paths: constraints.paths,
                read_only: constraints.read_only,
                decision: rule.behavior,
            })
        };
        let mut rules: Vec<_> = self.rules.into_iter().map(rule).collect::<Result<_, _>>()?;
        if self.default_behavior != Decision::Ask {
            rules.push(all(self.default_behavior));
        }
        Ok(rules)
    }

    fn of(mut rules: Vec<PolicyRule>) -> Option<Self> {
        let last = rules.last()?;
        let default_behavior = last.decision;
        let default_behavior = if default_behavior != Decision::Ask && *last == all(default_behavior) {
            rules.pop();
            default_behavior
        } else {
            Decision::Ask
        };
        let rule = |rule: PolicyRule| {
            let constrained = rule.paths.is_some() || rule.read_only.is_some();
            ProfileRule {
                tool: rule.tool,
                behavior: rule.decision,
                pattern: rule.pattern,
                constraints: constrained.then_some(Constraints {
                    read_only: rule.read_only,
                    paths: rule.paths,
                    max_file_size: None,
                }),
            }
        };
        Some(Self { default_behavior, rules: rules.into_iter().map(rule).collect() })
    }
}

/// The rule that matches every call.
fn all(decision: Decision) -> PolicyRule {
    PolicyRule { tool: any(), pattern: None, paths: None, read_only: None, decision }
}

async fn profile(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
) -> Reply<Json<ProfileTold>> {
    Ok(Json(ProfileTold { permission_profile: Profile::of(told(&door, &call, id).await?) }))
}

async fn set_profile(
    State(door): State<HttpDoor>,
    call: Call,
    Id(id): Id<SessionId>,
    Body(profile): Body<Profile>,
) -> Reply<Json<ProfileTold>> {
    let rules = set(&door, &call, id, profile.into_rules()?).await?;
    Ok(Json(ProfileTold { permission_profile: Profile::of(rules) }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_profile_comes_back_as_it_was_given() {
        let given = json!({"defaultBehavior": "deny", "rules": [
            {"tool": "Bash", "behavior": "allow", "pattern": "git *"},
            {"tool": "*", "behavior": "ask", "constraints": {"readOnly": false, "paths": ["/etc"]}},
        ]});
        let profile: Profile = serde_json::from_value(given.clone()).unwrap();
        let rules = profile.into_rules().unwrap();
        assert_eq!(rules.len(), 3);
        assert_eq!(serde_json::to_value(Profile::of(rules).unwrap()).unwrap(), given);
        assert!(Profile::of(Vec::new()).is_none());
    }

    #[test]
    fn older_words_for_a_rule_are_understood() {
        let older = json!({"source": "aegisApi", "ruleBehavior": "deny", "toolName": "Bash", "commandPattern": "rm *"});
        let rule: PolicyRule = serde_json::from_value::<Rule>(older).unwrap().into();
        assert_eq!(rule.to_string(), "deny Bash(rm *)");
    }
}
