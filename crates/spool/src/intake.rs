//! The three ways into the queue. Each answers only after the flush that covers the message.

use address::ReversePath;
use auth::Permit;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::draft::{Draft, Finished};
use crate::envelope::RECIPIENTS_MAX;
use crate::message::{Summary, encode, milliseconds};
use crate::record::span;
use crate::request::{Effect, Fault, Request};
use crate::segment::Segment;
use crate::{Envelope, InboundEnvelope, IntakeError, Origin, QueueId, Report, Spool};

impl Spool {
    /// Room for a message to be received.
    ///
    /// # Errors
    /// [`IntakeError::Full`] when no mail is taken at present.
    pub fn draft(&self) -> Result<Draft, IntakeError> {
        self.draft_sized(0)
    }

    /// As [`Self::draft`], with the size the client announced (`SIZE=`, RFC 1870), so that
    /// what cannot be taken is refused before it is sent.
    ///
    /// # Errors
    /// [`IntakeError::Full`], [`IntakeError::TooLarge`].
    pub fn draft_sized(&self, octets: u64) -> Result<Draft, IntakeError> {
        if octets > self.shared.config.message_max.0 {
            return Err(IntakeError::TooLarge);
        }
        if self.shared.is_full() || self.shared.has_no_room_for(octets) {
            return Err(IntakeError::Full);
        }
        Ok(Draft::new(self.shared.clone(), octets))
    }

    /// Queues a submitted message. Resolves after the flush that covers it; only then may the
    /// client be told 250. Dropped before, the message may or may not be queued.
    ///
    /// # Errors
    /// [`IntakeError`]; then it is not queued.
    pub async fn intake(
        &self,
        permit: &Permit,
        envelope: Envelope,
        draft: Draft,
    ) -> Result<QueueId, IntakeError> {
        let origin = submitted(permit, &envelope)?;
        self.refuse_if_full()?;
        self.queue(envelope, origin, draft, None).await
    }

    /// As [`Self::intake`], but nobody tries the message until an administrator releases it.
    /// `reason` says why, in at most 500 octets, and is stored with the message.
    ///
    /// # Errors
    /// [`IntakeError`]; then it is not queued.
    pub async fn intake_for_review(
        &self,
        permit: &Permit,
        envelope: Envelope,
        draft: Draft,
        reason: &str,
    ) -> Result<QueueId, IntakeError> {
        let origin = submitted(permit, &envelope)?;
        self.refuse_if_full()?;
        self.queue(envelope, origin, draft, Some(reason)).await
    }

    /// Queues a message from outside for local recipients; otherwise as [`Self::intake`].
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn inbound(
        &self,
        envelope: InboundEnvelope,
        draft: Draft,
    ) -> Result<QueueId, IntakeError> {
        let (envelope, origin) = envelope.split();
        self.refuse_if_full()?;
        self.queue(envelope, origin, draft, None).await
    }

    /// As [`Self::inbound`], but nobody tries the message until an administrator releases it;
    /// see [`Self::intake_for_review`].
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn inbound_for_review(
        &self,
        envelope: InboundEnvelope,
        draft: Draft,
        reason: &str,
    ) -> Result<QueueId, IntakeError> {
        let (envelope, origin) = envelope.split();
        self.refuse_if_full()?;
        self.queue(envelope, origin, draft, Some(reason)).await
    }

    /// Queues a report of our own with the null sender. Not subject to the floors of space,
    /// so that failures can still be told.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn notify(&self, report: Report) -> Result<QueueId, IntakeError> {
        let (envelope, body): (Envelope, Bytes) = report.split();
        let mut draft = Draft::new(self.shared.clone(), body.len() as u64);
        draft.write(&body).await?;
        self.queue(envelope, Origin::Report, draft, None).await
    }

    fn refuse_if_full(&self) -> Result<(), IntakeError> {
        if self.shared.is_full() { Err(IntakeError::Full) } else { Ok(()) }
    }

    pub(crate) async fn queue(
        &self,
        envelope: Envelope,
        origin: Origin,
        draft: Draft,
        review: Option<&str>,
    ) -> Result<QueueId, IntakeError> {
        if let ReversePath::Unqualified(_) = envelope.sender {
            return Err(IntakeError::NotPermitted);
        }
        match envelope.recipients.len() {
            0 => return Err(IntakeError::NoRecipients),
            1..=RECIPIENTS_MAX => {}
            _ => return Err(IntakeError::TooManyRecipients),
        }
        let Finished { id, octets, crc, body, file } = draft.finish().await?;
        let received = milliseconds(envelope.received_at);
        let (external, not_before) = (file.is_some(), envelope.wishes.hold_until.map(milliseconds));
        let review_asked = review.is_some();
        let summary =
            Summary { id, octets, received, crc, external, review: review_asked, not_before };
        let meta = encode(&summary, &envelope, &origin, review);
        // Half of a segment: the other half is for a body and for what goes before.
        let most = Segment::capacity(self.shared.config.segment_size.0) / 2;
        let meta_len = u32::try_from(meta.len()).unwrap_or(u32::MAX);
        if span(meta_len, 0) > most {
            return Err(IntakeError::TooManyRecipients);
        }
        let due = not_before.unwrap_or_else(|| received.min(self.shared.now()));
        let (ack, acknowledged) = oneshot::channel();
        let effect = Effect::Queue { id, due, marks: summary.marks(), file };
        let request = Request { effect, meta, body, ack: Some(ack) };
        self.requests.send(request).await.map_err(|_| IntakeError::Failed)?;
        match acknowledged.await {
            Ok(Ok(())) => Ok(id),
            Ok(Err(Fault::Full)) => Err(IntakeError::Full),
            _ => Err(IntakeError::Failed),
        }
    }
}

/// Where a submitted message comes from, if the permit covers its envelope.
fn submitted(permit: &Permit, envelope: &Envelope) -> Result<Origin, IntakeError> {
    // A filter may have put another sender in the place of the one that was ruled upon.
    let may_send = match &envelope.sender {
        sender if sender == permit.sender() => true,
        ReversePath::Null => true,
        ReversePath::Mailbox(mailbox) => permit.may_send_as(mailbox),
        ReversePath::Unqualified(_) => false,
    };
    if !may_send {
        return Err(IntakeError::NotPermitted);
    }
    let allowed = permit.recipients_max().map_or(usize::MAX, |most| most as usize);
    if envelope.recipients.len() > allowed {
        return Err(IntakeError::TooManyRecipients);
    }
    Ok(Origin::Submitted {
        account: permit.account().key().clone(),
        authority: permit.authority().into(),
        client: permit.client(),
    })
}
