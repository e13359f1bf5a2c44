//! Forwarding rules: who has which, what becomes of a call and why, and changes by rights.
//!
//! The same answers are had from a configuration without an engine ([`perform`]).

use bstr::{BStr, BString, ByteSlice};
use diesis_dialplan::rules::decide::{Call, Outcome};
use diesis_dialplan::rules::store::{self, Actor, Change};
use diesis_dialplan::rules::{Desk, Draft, Moment, Owner, Presence, Refusal, Rule, User};
use jiff::civil::{DateTime, Time};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Wires,
    listener::Answer,
    protocol::{Reply, Table},
    serve::{Why, tell, tell_unkept},
    tables::text,
};
use crate::{
    clock::Now,
    config::Prompts,
    switch::{SupervisedCall, SupervisedCaller},
};

/// What is asked or ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Order {
    /// All users.
    List,
    /// The rules of one.
    Show {
        /// The user's name or number.
        user: String,
        /// As whom: a user sees own rules, and what others share.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A new rule.
    Add(RuleOrder),
    /// Fields of a rule.
    Set(RuleOrder),
    /// A rule goes.
    Remove(RuleOrder),
    /// How present a user is.
    Presence {
        /// The user's name or number.
        user: String,
        /// `absent`, `busy`, `calendar`, `offline`, `online`, or `auto`.
        presence: String,
    },
    /// The calls for a user.
    Calls {
        /// The user's name or number.
        user: String,
        /// As whom: what the user lets others see.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// What becomes of a call, and why; the answer is an [`Explained`] as text.
    Explain {
        /// The user's name or number.
        user: String,
        /// The caller's number.
        #[serde(default)]
        from: String,
        /// When: `2026-11-22T10:00`, `10:00` of today, or with a zone; now when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<String>,
        /// `immediate`, `busy` or `noanswer`; one after the other when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forward: Option<String>,
        /// Assumed in place of what is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        presence: Option<String>,
    },
}

/// A change of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleOrder {
    /// The user's name or number.
    pub user: String,
    /// The rule's number.
    pub rule: u32,
    /// Fields with their values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String)>,
    /// As whom; an administrator when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A decision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Whose rules were asked.
    pub user: String,
    /// `forward`, `circle` or `stay`.
    pub outcome: String,
    /// Where the call goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What is dialled for it, where it is a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialled: Option<String>,
    /// The number of the rule that decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
    /// All of it in a sentence.
    pub summary: String,
    /// When.
    pub at: String,
    /// The caller's number.
    pub from: String,
    /// `external` or `internal`.
    pub origin: String,
    /// How present the user is, and how that is known.
    pub presence: Vec<(String, String)>,
    /// `immediate`, `busy` or `noanswer`.
    pub forward: String,
    /// Each rule in order, with what was found.
    pub rules: Vec<ExplainedRule>,
}

/// What was found about one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedRule {
    /// Its number.
    pub rule: u32,
    /// Its name.
    pub name: String,
    /// `admin` or `user`.
    pub owner: String,
    /// Where it would send the call.
    pub target: String,
    /// A word: `holds`, `inactive`, `forward`, `origin`, `caller`, `presence`, `schedule`, `right`,
    /// `circle` or `later`.
    pub verdict: String,
    /// The same in a sentence.
    pub reason: String,
}

/// Carries an order out on the running engine.
pub(super) async fn order(order: Order, wires: &Wires, answer: &mut Answer) -> Result<(), Why> {
    if let Order::Calls { user, by } = order {
        let look = wires.look(move |at| {
            let by = by.as_deref().map(str::as_bytes);
            let calls = at.switch.view_supervised(user.as_bytes(), by);
            (calls.map_err(|error| error.to_string()), at.now)
        });
        let (calls, now) = look.await?;
        let table = Reply::Table(calls_table(&calls?, now));
        return answer.send(&table).await.map_err(|error| error.to_string());
    }
    let changes = !matches!(order, Order::List | Order::Show { .. } | Order::Explain { .. });
    let announcements = announcements(&order);
    let done = wires.look(move |at| {
        let replies = at.switch.with_rules(at.now, |mut desk| perform(&order, &mut desk));
        (replies, at.store.err().map(str::to_owned))
    });
    let (replies, unkept) = done.await?;
    for reply in replies? {
        answer.send(&reply).await.map_err(|error| error.to_string())?;
    }
    tell_unkept(answer, unkept.filter(|_| changes)).await;
    if announcements.is_empty() { Ok(()) } else { tell_missing(announcements, wires, answer).await }
}

/// Warns of announcements that can not be played.
async fn tell_missing(
    announcements: Vec<String>,
    wires: &Wires,
    answer: &mut Answer,
) -> Result<(), Why> {
    let languages = wires.look(|at| at.switch.prompt_languages()).await?;
    let prompts = Prompts::new(wires.library.clone(), languages);
    // Looking for prompts blocks on the disk.
    let looked = tokio::task::spawn_blocking(move || {
        let missing = announcements.iter().filter_map(|list| prompts.missing_of(list.as_bytes()));
        missing.map(|missing| missing.to_string()).collect::<Vec<_>>()
    });
    for missing in looked.await.unwrap_or_default() {
        let help = "callers hear nothing in its place until it is recorded";
        tell(answer, format!("warning: {missing}; {help}")).await;
    }
    Ok(())
}

/// The announcements that an order gives to a rule.
fn announcements(order: &Order) -> Vec<String> {
    let (Order::Add(of) | Order::Set(of)) = order else { return vec![] };
    let given = of.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("announcement"));
    given.map(|(_, list)| list.clone()).collect()
}

/// Carries an order out, and gives what there is to tell.
///
/// # Errors
/// Why it was not done.
pub fn perform(order: &Order, desk: &mut Desk<'_>) -> Result<Vec<Reply>, String> {
    match order {
        Order::List => Ok(vec![Reply::Table(users(desk))]),
        Order::Show { user, by } => {
            let user = find(desk, user)?;
            let rules = seen(desk, user, by.as_deref())?;
            Ok(vec![Reply::Table(table(&rules))])
        }
        Order::Add(of) => {
            let user = find(desk, &of.user)?;
            let mut draft = Draft::new(of.rule, Owner::User);
            for (name, value) in &of.fields {
                let set = draft.set(name.as_bytes(), value.as_bytes());
                set.map_err(|error| format!("{name}: {error}"))?;
            }
            let rule = draft.finish().map_err(|error| error.to_string())?;
            change(desk, user, of, &[Change::Add(rule)])
        }
        Order::Set(of) => {
            let user = find(desk, &of.user)?;
            let set = |(name, value): &(String, String)| Change::Set {
                field: name.as_str().into(),
                value: value.as_str().into(),
            };
            let changes: Vec<Change> = of.fields.iter().map(set).collect();
            change(desk, user, of, &changes)
        }
        Order::Remove(of) => {
            let user = find(desk, &of.user)?;
            change(desk, user, of, &[Change::Remove])
        }
        Order::Presence { user, presence } => {
            let user = find(desk, user)?;
            let said = match presence.as_str() {
                "auto" => None,
                word => Some(presence_of(word)?),
            };
            store::say(desk.database, user.name.as_bstr(), said);
            let now = desk.conditions(None, None).presence(user);
            Ok(vec![Reply::Text(format!("{} is {}", user.name, now.words()))])
        }
        Order::Calls { .. } => Err("calls are known to a running engine alone".to_owned()),
        Order::Explain { user, from, at, forward, presence } => {
            let user = find(desk, user)?;
            let at = at.as_deref().map(|at| time(at, desk.now, &desk.zone)).transpose()?;
            let assumed = presence.as_deref().map(presence_of).transpose()?;
            let assumed = assumed.map(|presence| (user.name.clone(), presence));
            let moments = match forward.as_deref() {
                None => Moment::ALL.to_vec(),
                Some(word) => {
                    let moment = Moment::parse(word.as_bytes());
                    vec![moment.ok_or_else(|| {
                        format!("{word:?} is none of immediate, busy and noanswer")
                    })?]
                }
            };
            let explained = explain(desk, user, from, at, &moments, assumed)
                .ok_or_else(|| "there is nothing to decide".to_owned())?;
            let text = serde_json::to_string(&explained).map_err(|error| error.to_string())?;
            Ok(vec![Reply::Text(text)])
        }
    }
}

fn find<'a>(desk: &Desk<'a>, name: &str) -> Result<&'a User, String> {
    let book = desk.book();
    book.user(name.as_bytes()).ok_or_else(|| match book.is_empty() {
        true => "there are no users: rules.conf is missing or empty".to_owned(),
        false => format!("rules.conf has no user {name:?}; see `diesis rules list`"),
    })
}

fn presence_of(word: &str) -> Result<Presence, String> {
    Presence::parse(word.as_bytes()).ok_or_else(|| {
        format!("{word:?} is none of absent, busy, calendar, offline, online and auto")
    })
}

fn users(desk: &Desk<'_>) -> Table {
    let mut table =
        Table::new(&["user", "numbers", "group", "domain", "presence", "rules", "first_active"]);
    let conditions = desk.conditions(None, None);
    for user in desk.book().users() {
        let first = desk.book().first_active(user, &conditions);
        let optional =
            |text_of: &Option<BString>| text_of.as_ref().map_or(Value::Null, |it| text(it));
        table.push(vec![
            text(&user.name),
            json!(bstr::join(",", &user.numbers).to_str_lossy()),
            optional(&user.group),
            optional(&user.domain),
            json!(conditions.presence(user).words()),
            json!(store::rules(user, desk.database).len()),
            first.map_or(Value::Null, |rule| json!(rule.number)),
        ]);
    }
    table
}

/// The rules of a user that somebody may see.
fn seen(desk: &Desk<'_>, user: &User, by: Option<&str>) -> Result<Vec<Rule>, String> {
    let rules = store::rules(user, desk.database);
    let Some(by) = by else { return Ok(rules) };
    let by = find(desk, by)?;
    if by.name == user.name {
        return match by.rights.display || by.rights.simple_rules {
            true => Ok(rules),
            false => Err(format!("{} may not see rules (DisplaySimpleRules)", by.name)),
        };
    }
    if !desk.book().is_shared(user, by) {
        return Err(Refusal::Foreign(by.name.clone(), user.name.clone()).to_string());
    }
    let first = desk.book().first_active(user, &desk.conditions(None, None));
    Ok(first.into_iter().collect())
}

fn table(rules: &[Rule]) -> Table {
    const FIELDS: [&str; 10] = [
        "active",
        "origin",
        "presence",
        "forward",
        "target",
        "announcement",
        "schedule",
        "caller",
        "owner",
        "name",
    ];
    let columns: Vec<&str> = std::iter::once("rule").chain(FIELDS).collect();
    let mut table = Table::new(&columns);
    for rule in rules {
        let fields =
            FIELDS.iter().map(|name| text(&rule.field(name.as_bytes()).unwrap_or_default()));
        table.push(std::iter::once(json!(rule.number)).chain(fields).collect());
    }
    table
}

fn calls_table(calls: &[SupervisedCall], now: Now) -> Table {
    let columns = ["call", "caller", "name", "state", "seconds", "rule", "target"];
    let mut table = Table::new(&columns);
    for call in calls {
        let (number, name) = match &call.caller {
            SupervisedCaller::Shown { number, name } => (text(number), text(name)),
            SupervisedCaller::Withheld => (json!("withheld"), Value::Null),
        };
        let (rule, target) = match &call.rule {
            Some((rule, target)) => (json!(rule), text(target)),
            None => (Value::Null, Value::Null),
        };
        table.push(vec![
            text(&call.channel),
            number,
            name,
            json!(call.state.as_str()),
            json!(now.instant.saturating_duration_since(call.since).as_secs()),
            rule,
            target,
        ]);
    }
    table
}

/// All changes, or none of them.
fn change(
    desk: &mut Desk<'_>,
    user: &User,
    of: &RuleOrder,
    changes: &[Change],
) -> Result<Vec<Reply>, String> {
    let by = of.by.as_deref().map(|by| find(desk, by)).transpose()?;
    let actor = by.map_or(Actor::Admin, |by| Actor::User(by.name.as_bstr()));
    let book = desk.book();
    let changed = book.change_all(user, of.rule, actor, changes, desk.database);
    let said = match changed.map_err(|error| error.to_string())? {
        Some(rule) => format!("rule {} of {}: {}", of.rule, user.name, rule.write()),
        None => format!("rule {} of {} is gone", of.rule, user.name),
    };
    Ok(vec![Reply::Text(said)])
}

/// The first of these moments at which a call is forwarded or would go in a circle, else the last.
fn explain(
    desk: &Desk<'_>,
    user: &User,
    from: &str,
    at: Option<Timestamp>,
    moments: &[Moment],
    assumed: Option<(BString, Presence)>,
) -> Option<Explained> {
    let conditions = desk.conditions(at, assumed);
    let mut decided = None;
    for &moment in moments {
        let call = Call { caller: BStr::new(from), moment };
        let decision = desk.book().decide(user, call, &conditions);
        let is_over = decision.outcome != Outcome::Stay;
        decided = Some((moment, decision));
        if is_over {
            break;
        }
    }
    let (moment, decision) = decided?;
    let (outcome, rule) = match &decision.outcome {
        Outcome::Forward(rule) => ("forward", Some(rule)),
        Outcome::Circle(rule, _) => ("circle", Some(rule)),
        Outcome::Stay => ("stay", None),
    };
    let rules = decision.looked_at.iter().map(|(rule, verdict)| ExplainedRule {
        rule: rule.number,
        name: rule.name.to_string(),
        owner: rule.owner.as_str().to_owned(),
        target: rule.target.write().to_string(),
        verdict: verdict.word().to_owned(),
        reason: verdict.to_string(),
    });
    let presence = decision.presences.iter();
    Some(Explained {
        user: user.name.to_string(),
        outcome: outcome.to_owned(),
        target: decision.forward().map(|rule| rule.target.write().to_string()),
        dialled: decision.dialled.as_ref().map(ToString::to_string),
        rule: rule.map(|rule| rule.number),
        summary: decision.summary(),
        at: conditions.now.to_zoned(desk.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        from: from.to_owned(),
        origin: decision.side.as_str().to_owned(),
        presence: presence.map(|(it, why)| (it.as_str().to_owned(), why.to_string())).collect(),
        forward: moment.as_str().to_owned(),
        rules: rules.collect(),
    })
}

/// An instant as people write it.
fn time(word: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    let civil = || -> Option<DateTime> {
        word.parse::<DateTime>().ok().or_else(|| {
            let time: Time = word.parse().ok()?;
            Some(zone.to_datetime(now).date().to_datetime(time))
        })
    };
    let found = word.parse::<Timestamp>().ok().or_else(|| zone.to_timestamp(civil()?).ok());
    found.ok_or_else(|| format!("{word:?} is no time, such as 2026-11-22T10:00 or 10:00"))
}
