//! `diesis rules`, as typed arguments.

use clap::{Args, Subcommand};

use super::operate::{TableFormat, Target};

/// Questions about forwarding rules, and changes of them.
#[derive(Debug, Args)]
#[command(after_help = "\
FIELD is active, origin (all, external, internal), presence (any, absent, busy, calendar, offline,
online), forward (immediate, busy, noanswer), schedule, caller, announcement or target (a number,
Goto(context,extension,1) or Hangup()).

Examples:
  diesis rules explain boss --from 0612345678 --at 2026-12-24T18:00 --presence absent
  diesis rules add boss 20 origin=external presence=absent announcement=away target=1002
  diesis rules disable boss 20
  diesis rules presence boss busy
  diesis rules calls boss --as secretary")]
pub(crate) struct Rules {
    #[command(subcommand)]
    pub(crate) question: Question,
    /// How a list is written
    #[arg(long, value_enum, default_value_t = TableFormat::Table, global = true)]
    pub(crate) format: TableFormat,
    /// The same as --format json
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// As this user, with no more rights; without it as an administrator
    #[arg(long = "as", value_name = "USER", global = true)]
    pub(crate) by: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// What about rules.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Question {
    /// All users: how present they are, and which rule is active first
    List,
    /// The rules of a user
    Show {
        /// Name or number
        user: String,
    },
    /// Give a user a rule
    Add {
        /// Name or number
        user: String,
        /// The rule's number; the lowest is asked first
        #[arg(value_parser = clap::value_parser!(u32).range(1..=9999))]
        rule: u32,
        /// What it says; target is needed
        #[arg(value_name = "FIELD=VALUE", required = true, value_parser = field)]
        fields: Vec<(String, String)>,
    },
    /// Change a rule
    Set {
        /// Name or number
        user: String,
        /// The rule's number
        rule: u32,
        /// What it says from now on
        #[arg(value_name = "FIELD=VALUE", required = true, value_parser = field)]
        fields: Vec<(String, String)>,
    },
    /// Switch a rule on
    Enable {
        /// Name or number
        user: String,
        /// The rule's number
        rule: u32,
    },
    /// Switch a rule off
    Disable {
        /// Name or number
        user: String,
        /// The rule's number
        rule: u32,
    },
    /// Take a rule away; of one of rules.conf, what was changed
    Remove {
        /// Name or number
        user: String,
        /// The rule's number
        rule: u32,
    },
    /// Say how present a user is, or let it be found out again
    Presence {
        /// Name or number
        user: String,
        /// absent, busy, calendar, offline, online, or auto
        presence: String,
    },
    /// The calls for a user: who calls, how far it is, which rule forwards it
    Calls {
        /// Name or number
        user: String,
    },
    /// Say what becomes of a call, and of each rule why; the exit code is 0 when it is forwarded, 1
    /// when it stays, 2 when that can't be found out
    Explain {
        /// Name or number
        user: String,
        /// The caller's number
        #[arg(long, default_value = "", value_name = "NUMBER")]
        from: String,
        /// When: 2026-11-22T10:00, or 10:00 of today [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// What the telephone did: immediate, busy, noanswer [default: the first that forwards]
        #[arg(long, value_name = "TYPE")]
        forward: Option<String>,
        /// Assume this presence
        #[arg(long, value_name = "PRESENCE")]
        presence: Option<String>,
        /// Ask the directory, even if an engine runs there: telephones are idle then
        #[arg(long)]
        offline: bool,
    },
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected FIELD=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
