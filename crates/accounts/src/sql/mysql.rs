//! MySQL and MariaDB: what is needed of their protocol (MySQL internals manual, chapter 4,
//! "Client/Server Protocol", version 10 of the handshake).

mod handshake;
mod packet;
mod value;

use sasl::Secret;

use super::config::{Place, Plan};
use super::driver::{Driver, Parameter, Problem, Reply, Request, Session, check_columns};
use super::query::{Query, Use};
use super::stream::{self, Bounded};
use crate::Row;
use packet::{Packets, Reader};
use value::Column;

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;

/// First octets of packets.
const OK: u8 = 0x00;
const END: u8 = 0xfe;
const ERROR: u8 = 0xff;

/// Lists of addresses must not be cut off, which is what the server does by default at 1024
/// octets and without an error.
const SETTINGS: &str = "SET SESSION group_concat_max_len = 1048576";

/// How to connect to one server.
pub(super) struct MysqlDriver {
    place: Place,
    database: String,
    user: String,
    password: Option<Secret>,
}

/// One connection to it.
pub(super) struct MysqlSession {
    packets: Packets,
    /// By [`Use`].
    statements: [Option<Statement>; Use::EVERY.len()],
    /// The server has ended it.
    closed: bool,
}

#[derive(Clone, Copy)]
struct Statement(u32);

/// The answer to a command.
enum Answer {
    /// It is done, and so many rows were changed.
    Done { changed: u64 },
    /// Rows follow, with so many columns.
    Columns(usize),
}

impl MysqlDriver {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            place: plan.place.clone(),
            database: plan.database.clone(),
            user: plan.user.clone(),
            password: plan.password.clone(),
        }
    }
}

impl Driver for MysqlDriver {
    type Session = MysqlSession;

    async fn connect(&self) -> Result<MysqlSession, Problem> {
        let (stream, allowance) = Bounded::new(stream::connect(&self.place).await?);
        let packets = Packets::new(Box::new(stream), allowance);
        let (tls, private) = match &self.place {
            Place::Unix(_) => (None, true),
            Place::Tcp { tls, .. } => (tls.as_ref(), tls.is_some()),
        };
        let who = handshake::Who {
            user: &self.user,
            database: &self.database,
            password: self.password.as_ref().map_or(&[], Secret::expose),
            private,
        };
        let packets = handshake::shake(packets, tls, &who).await?;
        let statements = [None; Use::EVERY.len()];
        let mut session = MysqlSession { packets, statements, closed: false };
        session.say(SETTINGS).await?;
        Ok(session)
    }
}

impl MysqlSession {
    /// A command that is answered without rows.
    async fn say(&mut self, text: &str) -> Result<(), Problem> {
        self.packets.command(COM_QUERY, &[text.as_bytes()]).await?;
        match self.answer(None).await? {
            Answer::Done { .. } => Ok(()),
            Answer::Columns(_) => Err(Problem::Nonsense("rows in answer to a setting".to_owned())),
        }
    }

    async fn answer(&mut self, query: Option<&Query>) -> Result<Answer, Problem> {
        let packet = self.packets.receive().await?;
        let mut reader = Reader::new(&packet);
        match packet.first() {
            Some(&OK) => {
                reader.skip(1)?;
                Ok(Answer::Done { changed: reader.length()? })
            }
            Some(&ERROR) => Err(self.refused(query, &packet)),
            // What a server asks for with LOAD DATA LOCAL it does not get.
            None | Some(0xfb) => Err(Problem::Nonsense("an answer of no kind".to_owned())),
            Some(_) => {
                let count = usize::try_from(reader.length()?).unwrap_or(usize::MAX);
                if (1..=value::COLUMNS_MAX).contains(&count) {
                    return Ok(Answer::Columns(count));
                }
                Err(Problem::Nonsense(format!("an answer of {count} columns")))
            }
        }
    }

    /// Whose trouble an error is.
    fn refused(&mut self, query: Option<&Query>, packet: &[u8]) -> Problem {
        let (code, message) = packet::error(packet);
        let said = format!("{message} ({code})");
        // Shutting down, killed, too idle, out of connections, memory or time; and statements
        // that the server has forgotten or would have to prepare again.
        const OF_SERVER: [u16; 13] =
            [1037, 1040, 1041, 1053, 1077, 1079, 1203, 1205, 1243, 1615, 1927, 3024, 4031];
        match query {
            Some(query) if !OF_SERVER.contains(&code) => Problem::query(query, said),
            _ => {
                self.closed = true;
                Problem::Refused(said)
            }
        }
    }

    async fn columns(&mut self, count: usize) -> Result<Vec<Column>, Problem> {
        let mut columns = Vec::with_capacity(count);
        for _ in 0..count {
            columns.push(Column::read(&self.packets.receive().await?)?);
        }
        self.end().await?;
        Ok(columns)
    }

    async fn end(&mut self) -> Result<(), Problem> {
        let packet = self.packets.receive().await?;
        if is_end(&packet) {
            return Ok(());
        }
        Err(Problem::Nonsense("a list that does not end".to_owned()))
    }

    async fn statement(&mut self, query: &Query) -> Result<Statement, Problem> {
        let position = query.purpose as usize;
        if let Some(Some(known)) = self.statements.get(position) {
            return Ok(*known);
        }
        self.packets.command(COM_STMT_PREPARE, &[query.text.as_bytes()]).await?;
        let packet = self.packets.receive().await?;
        let mut reader = Reader::new(&packet);
        match reader.octet()? {
            OK => {}
            ERROR => return Err(self.refused(Some(query), &packet)),
            _ => return Err(Problem::Nonsense("no answer to a statement".to_owned())),
        }
        let statement = Statement(reader.u32()?);
        let (columns, parameters) = (usize::from(reader.u16()?), usize::from(reader.u16()?));
        if parameters > 0 {
            self.columns(parameters).await?;
        }
        let columns = if columns > 0 { self.columns(columns).await? } else { Vec::new() };
        if parameters != query.parameters.len() {
            return Err(Problem::query(query, "the server counts other placeholders"));
        }
        if query.purpose != Use::Update {
            check(query, &columns)?;
        }
        if let Some(place) = self.statements.get_mut(position) {
            *place = Some(statement);
        }
        Ok(statement)
    }

    async fn execute(
        &mut self,
        query: &Query,
        parameters: &[Parameter],
    ) -> Result<Answer, Problem> {
        let Statement(id) = self.statement(query).await?;
        let body = value::parameters(id, parameters);
        self.packets.command(COM_STMT_EXECUTE, &[&body]).await?;
        self.answer(Some(query)).await
    }

    async fn select(
        &mut self,
        query: &Query,
        parameters: &[Parameter],
        most: usize,
    ) -> Result<Vec<Row>, Problem> {
        let Answer::Columns(count) = self.execute(query, parameters).await? else {
            return Err(Problem::query(query, "it brings no rows"));
        };
        let columns = self.columns(count).await?;
        let checked = check(query, &columns);
        let (mut rows, mut more, mut wrong) = (Vec::new(), false, None);
        loop {
            let packet = self.packets.receive().await?;
            if is_end(&packet) {
                break;
            }
            if packet.first() == Some(&ERROR) {
                return Err(self.refused(Some(query), &packet));
            }
            // What is too much or not understood is read nevertheless, so that the session can
            // go on; the octets of an answer are bounded.
            more |= rows.len() >= most;
            if checked.is_err() || more || wrong.is_some() {
                continue;
            }
            match value::row(&columns, &packet)? {
                Ok(row) => rows.push(row),
                Err(problem) => wrong = Some(problem),
            }
        }
        checked?;
        if let Some(problem) = wrong {
            return Err(Problem::query(query, problem));
        }
        if more {
            return Err(Problem::query(query, format!("more than {most} rows")));
        }
        Ok(rows)
    }

    /// Changes one row: where more would change, nothing does.
    async fn replace(&mut self, query: &Query, parameters: &[Parameter]) -> Result<bool, Problem> {
        self.statement(query).await?;
        self.say("START TRANSACTION").await?;
        let changed = match self.execute(query, parameters).await {
            Ok(Answer::Done { changed }) => changed,
            Ok(Answer::Columns(_)) => {
                return Err(Problem::Nonsense("rows in answer to an update".to_owned()));
            }
            Err(problem) => {
                if problem.is_of_query() {
                    self.say("ROLLBACK").await?;
                }
                return Err(problem);
            }
        };
        self.say(if changed > 1 { "ROLLBACK" } else { "COMMIT" }).await?;
        match changed {
            0 => Ok(false),
            1 => Ok(true),
            many => Err(Problem::query(query, format!("it would change {many} rows"))),
        }
    }
}

fn check(query: &Query, columns: &[Column]) -> Result<(), Problem> {
    check_columns(query, columns.iter().map(|column| column.name.as_str()))?;
    match columns.iter().find(|column| !column.is_readable()) {
        None => Ok(()),
        Some(Column { name, .. }) => Err(Problem::query(
            query,
            format!(
                "the column {name} is neither text nor a whole number; expected such as \
                 CAST({name} AS CHAR)"
            ),
        )),
    }
}

fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&END) && packet.len() < 9
}

impl Session for MysqlSession {
    fn is_closed(&self) -> bool {
        self.closed
    }

    async fn ask(&mut self, request: Request<'_>) -> Result<Reply, Problem> {
        self.packets.renew();
        match request {
            Request::Select(query, parameters, most) => {
                self.select(query, parameters, most).await.map(Reply::Rows)
            }
            Request::Replace(query, parameters) => {
                self.replace(query, parameters).await.map(Reply::Replaced)
            }
            Request::Check(query) => self.statement(query).await.map(|_| Reply::Fine),
        }
    }
}

impl Drop for MysqlSession {
    fn drop(&mut self) {
        self.packets.goodbye(COM_QUIT);
    }
}
