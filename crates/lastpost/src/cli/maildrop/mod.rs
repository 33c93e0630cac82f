//! `lastpost maildrop`: what a POP3 client would see, and where it came from.

mod compare;
mod crowd;
mod import;
mod places;
mod repair;
mod show;
#[cfg(test)]
mod tests;

use clap::Subcommand;

use self::compare::CompareArgs;
use self::import::ImportArgs;
use self::repair::RepairArgs;
use self::show::ShowArgs;
use super::expire::{self, ExpireArgs};
use super::{CliError, CommonArgs};

/// What can be done with maildrops.
#[derive(Debug, Subcommand)]
pub(crate) enum MaildropCommand {
    /// Count an account's messages and octets, or list them.
    Show(ShowArgs),
    /// Remove what was kept as long as [pop3.retention] says, or show what would go.
    Expire(ExpireArgs),
    /// Take over the unique ids of another server, so that nobody downloads his mail again.
    ImportUidl(ImportArgs),
    /// Ask two servers for the same mail, and tell what customers would notice.
    Compare(CompareArgs),
    /// Go over maildrops: read the directories, count all sizes, put right what is remembered.
    Repair(RepairArgs),
}

pub(crate) fn run(command: &MaildropCommand, common: &CommonArgs) -> Result<(), CliError> {
    match command {
        MaildropCommand::Show(args) => show::run(args, common),
        MaildropCommand::Expire(args) => expire::run(args, common),
        MaildropCommand::ImportUidl(args) => import::run(args, common),
        MaildropCommand::Compare(args) => compare::run(args, common),
        MaildropCommand::Repair(args) => repair::run(args, common),
    }
}
