//! Conversion of a text for a next hop that does not take it as it is (RFC 6152 section 3): binary
//! or 8-bit parts become base64 or quoted-printable, and the structure stays what it was.
//!
//! Two passes over the stored text, each in bounded memory. The first one walks the MIME parts
//! and chooses an encoding for each; the second one writes. What comes out depends on the text
//! and the aim alone, so that every attempt sends the same.
//!
//! A part under a signature (`multipart/signed`) is never touched: a message that would need it
//! is not converted at all. A domain's signature (DKIM) over the whole does break; that is said
//! in the log.

mod analysis;
mod content_type;
mod encode;
mod fields;
mod rewrite;
#[cfg(test)]
mod tests;
mod walk;

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use envelope::Coding;
use spool::{BodyReader, Job};

use analysis::Analysis;
use rewrite::Rewriter;
use walk::Walker;

/// What every octet of the converted text must be fit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Lines of ASCII.
    SevenBit,
    /// Lines of any octets but NUL, CR and LF.
    EightBit,
}

impl Aim {
    /// What the text is declared as then.
    pub(crate) fn coding(self) -> Coding {
        match self {
            Self::SevenBit => Coding::SevenBit,
            Self::EightBit => Coding::EightBit,
        }
    }
}

/// What happens to one part that has no parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Keep,
    Base64,
    QuotedPrintable,
}

/// Why a text cannot be converted. RFC 3463: 5.6.3, except for a header in UTF-8 (5.6.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unconvertible {
    /// A part under a signature would have to change.
    Signed,
    /// The header of a part holds octets above 127, or NUL.
    Header,
    /// A part that says it is encoded is not.
    FalselyEncoded,
    /// A multipart without a boundary, or a fragment of a message.
    Indivisible,
    /// More parts, levels or header than anybody needs.
    TooComplex,
}

impl fmt::Display for Unconvertible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signed => "conversion would break the signature of a part",
            Self::Header => "a header in it is not ASCII, which takes SMTPUTF8",
            Self::FalselyEncoded => "a part is not encoded as its header says",
            Self::Indivisible => "a part cannot be taken apart",
            Self::TooComplex => "it has too many parts, or too large a header",
        })
    }
}

/// A text that can be converted, and how.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    aim: Aim,
    choices: Arc<[Choice]>,
    octets: u64,
    breaks_signature: bool,
}

impl Plan {
    /// What the converted text is declared as.
    pub(crate) fn coding(&self) -> Coding {
        self.aim.coding()
    }

    /// The size of the converted text.
    pub(crate) fn octets(&self) -> u64 {
        self.octets
    }

    /// Whether a domain signed the text as it was.
    pub(crate) fn breaks_signature(&self) -> bool {
        self.breaks_signature
    }
}

/// Why there is no plan.
#[derive(Debug)]
pub(crate) enum PlanError {
    /// The stored text cannot be read.
    Io(io::Error),
    /// It cannot be converted.
    Unconvertible(Unconvertible),
}

impl From<io::Error> for PlanError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Unconvertible> for PlanError {
    fn from(reason: Unconvertible) -> Self {
        Self::Unconvertible(reason)
    }
}

/// Whether `text` can go as it is.
pub(crate) fn is_fit(text: &[u8], aim: Aim) -> bool {
    analysis::is_fit(text, aim)
}

/// Looks at the whole text of `job`, twice.
pub(crate) async fn plan(job: &Job, aim: Aim) -> Result<Plan, PlanError> {
    let mut walker = Walker::new();
    let mut analysis = Analysis::new(aim);
    let mut body = job.body().await?;
    while let Some(block) = body.next().await? {
        walker.feed(&block, &mut analysis)?;
    }
    walker.finish(&mut analysis)?;
    let (choices, breaks_signature) = analysis.finish();
    let mut plan = Plan { aim, choices: choices.into(), octets: 0, breaks_signature };
    let mut reader = Converted::open(job, &plan).await?;
    while let Some(block) = reader.next().await? {
        plan.octets += block.len() as u64;
    }
    Ok(plan)
}

/// Reads a text as it was planned.
#[derive(Debug)]
pub(crate) struct Converted {
    body: BodyReader,
    machine: Option<Machine>,
}

impl Converted {
    pub(crate) async fn open(job: &Job, plan: &Plan) -> io::Result<Self> {
        Ok(Self { body: job.body().await?, machine: Some(Machine::new(plan)) })
    }

    /// The next block, at most three times as large as one of the stored text; `None` at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let Some(machine) = &mut self.machine else { return Ok(None) };
            let out = match self.body.next().await? {
                Some(block) => machine.feed(&block)?,
                None => match self.machine.take() {
                    Some(machine) => machine.finish()?,
                    None => return Ok(None),
                },
            };
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
    }
}

/// The second pass.
#[derive(Debug)]
struct Machine {
    walker: Walker,
    rewriter: Rewriter,
}

impl Machine {
    fn new(plan: &Plan) -> Self {
        let rewriter = Rewriter::new(plan.aim, Arc::clone(&plan.choices));
        Self { walker: Walker::new(), rewriter }
    }

    fn feed(&mut self, block: &[u8]) -> io::Result<Vec<u8>> {
        self.walker.feed(block, &mut self.rewriter).map_err(changed)?;
        Ok(self.rewriter.take())
    }

    fn finish(mut self) -> io::Result<Vec<u8>> {
        self.walker.finish(&mut self.rewriter).map_err(changed)?;
        Ok(self.rewriter.finish())
    }
}

/// The first pass did not object.
fn changed(reason: Unconvertible) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the text has changed: {reason}"))
}
