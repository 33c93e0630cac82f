//! `QUIT`: what was deleted goes, on disk, before the client hears of it.

use maildrop::UpdateReport;
use netio::Buffer;
use pop3_proto::PendingUpdate;

use super::Visit;
use super::ending::Ending;
use crate::held::Held;

impl Visit {
    /// Removes, releases the lock, answers. The answer may find nobody: Outlook hangs up
    /// behind its `QUIT`.
    pub(super) async fn update(
        &mut self,
        messages: Held,
        deleted: Vec<usize>,
        retrieved: Vec<usize>,
        pending: PendingUpdate,
        mut out: Buffer,
    ) -> Ending {
        let ending = self.apply(messages, deleted, retrieved).await;
        match ending {
            Ending::Quit => pending.accept(&mut out),
            _ => pending.refuse(&mut out),
        }
        if let Err(unheard) = self.write(&out).await {
            tracing::debug!(
                target: "lastpost::pop3",
                rip = %self.connection.peer(),
                ?unheard,
                "nobody waited for the answer to QUIT"
            );
        }
        ending
    }

    async fn apply(
        &mut self,
        messages: Held,
        deleted: Vec<usize>,
        retrieved: Vec<usize>,
    ) -> Ending {
        if deleted.is_empty() && retrieved.is_empty() {
            return Ending::Quit;
        }
        let Ok(turn) = self.shared.maildrops.turn().await else {
            return self.fail(deleted.len(), &"no turn on the disk within the time allowed");
        };
        let wanted = deleted.len();
        let at = self.shared.clock.now().wall.as_second();
        let work = move || {
            let report = messages.0.update(&deleted, &retrieved, at);
            // The lock goes before the answer: some clients are back at once.
            drop(messages);
            report
        };
        let Ok(report) = turn.run(work).await else {
            return self.fail(wanted, &"removing panicked: this is a defect");
        };
        self.tally.removed = report.removed;
        self.shared.counters.removed.add(report.removed as u64);
        if report.is_complete() {
            return Ending::Quit;
        }
        let UpdateReport { failed, unsynced, .. } = &report;
        let first = failed.first().map(|failure| &failure.error).or(unsynced.as_ref());
        self.fail(failed.len(), &first.map(ToString::to_string).unwrap_or_default())
    }

    fn fail(&self, left: usize, error: &dyn std::fmt::Display) -> Ending {
        self.shared.counters.failed_updates.add(1);
        let user = self.tally.account.as_ref().map(|account| account.key().as_str());
        tracing::error!(
            target: "lastpost::pop3",
            user,
            rip = %self.connection.peer(),
            left,
            %error,
            "deleted messages not removed"
        );
        Ending::NotRemoved
    }
}
