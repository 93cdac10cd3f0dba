//! Batches on a bare connection, where what goes wrong can be chosen.

use std::cell::Cell;

use super::*;

struct Probe {
    sql: &'static str,
    tries: usize,
    failed: Option<StoreError>,
    reply: Option<Sender<(&'static str, bool, usize)>>,
}

impl Command for Probe {
    fn apply(&mut self, db: &Connection) -> bool {
        self.tries += 1;
        self.failed = db.execute_batch(self.sql).during("probe").err();
        self.failed.is_none()
    }

    fn fail(&mut self, error: StoreError) {
        self.failed = Some(error);
    }

    fn answer(mut self: Box<Self>) {
        if let Some(reply) = self.reply.take() {
            let _ = reply.send((self.sql, self.failed.is_none(), self.tries));
        }
    }

    fn bytes(&self) -> usize {
        self.sql.len()
    }
}

fn commit(db: &Connection, statements: &[&'static str]) -> Vec<(bool, usize)> {
    let (reply, answers) = channel();
    let mut batch: Vec<Box<dyn Command>> = Vec::new();
    for sql in statements.iter().copied() {
        batch.push(Box::new(Probe {
            sql,
            tries: 0,
            failed: None,
            reply: Some(reply.clone()),
        }));
    }
    drop(reply);
    commit_batch(db, &mut batch);
    answers.iter().map(|(_, ok, tries)| (ok, tries)).collect()
}

fn numbers() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE numbers (n BIGINT PRIMARY KEY)")
        .unwrap();
    db
}

fn stored(db: &Connection) -> Vec<i64> {
    let mut statement = db.prepare("SELECT n FROM numbers ORDER BY n").unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn a_failing_command_fails_alone() {
    let db = numbers();
    let answers = commit(
        &db,
        &[
            "INSERT INTO numbers VALUES (1)",
            "INSERT INTO numbers VALUES (2); INSERT INTO numbers VALUES (1)",
            "INSERT INTO numbers VALUES (3)",
        ],
    );
    assert_eq!(answers, [(true, 1), (false, 1), (true, 1)]);
    assert_eq!(
        stored(&db),
        [1, 3],
        "the half of the failed command is undone"
    );
    assert!(db.is_autocommit());
}

#[test]
fn commands_are_tried_again_alone_when_the_database_drops_the_transaction() {
    let db = numbers();
    let answers = commit(
        &db,
        &[
            "INSERT INTO numbers VALUES (1)",
            "INSERT OR ROLLBACK INTO numbers VALUES (1)",
            "INSERT INTO numbers VALUES (3)",
        ],
    );
    assert_eq!(answers, [(true, 2), (false, 2), (true, 1)]);
    assert_eq!(stored(&db), [1, 3]);
    assert!(db.is_autocommit());
}

#[test]
fn everybody_learns_that_no_transaction_could_begin() {
    let db = numbers();
    db.pragma_update(None, "query_only", 1).unwrap();
    let answers = commit(
        &db,
        &[
            "INSERT INTO numbers VALUES (1)",
            "INSERT INTO numbers VALUES (2)",
        ],
    );
    assert!(answers.iter().all(|(ok, _)| !ok), "{answers:?}");
    assert!(db.is_autocommit());
}

#[test]
fn a_batch_is_cut_at_its_limit_and_at_the_first_read() {
    let (queue, messages) = channel();
    let write = || {
        Message::Write(Box::new(Probe {
            sql: "",
            tries: 0,
            failed: None,
            reply: None,
        }) as Box<dyn Command>)
    };
    for _ in 0..BATCH_COMMANDS + 1 {
        queue.send(write()).unwrap();
    }
    queue.send(Message::Read(Box::new(|_| {}))).unwrap();
    queue.send(write()).unwrap();

    let mut batch = Vec::new();
    assert!(gather(messages.recv().unwrap(), &messages, &mut batch).is_none());
    assert_eq!(batch.len(), BATCH_COMMANDS);
    batch.clear();
    assert!(matches!(
        gather(messages.recv().unwrap(), &messages, &mut batch),
        Some(Message::Read(_))
    ));
    assert_eq!(batch.len(), 1);
}

#[test]
fn a_full_queue_refuses_instead_of_growing() {
    let writer = Writer::start(numbers(), None).unwrap();
    let (release, gate) = channel::<()>();
    let gate = Cell::new(Some(gate));
    let blocked = writer
        .enqueue(0, move |_| {
            if let Some(gate) = gate.take() {
                let _ = gate.recv();
            }
            Ok(())
        })
        .unwrap();
    let mut accepted = 0;
    let refused = loop {
        match writer.enqueue(MAX_COMMAND_BYTES, |_| Ok(())) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::QueueFull));
    assert_eq!(accepted, 3, "three times 16 MiB and a little fit 64 MiB");
    release.send(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(blocked).unwrap();
    runtime
        .block_on(writer.write(MAX_COMMAND_BYTES, |_| Ok(())))
        .unwrap();
    runtime.block_on(writer.close()).unwrap();
    assert!(matches!(
        writer.enqueue(0, |_| Ok(())),
        Err(StoreError::Closed)
    ));
    runtime.block_on(writer.close()).unwrap();
}
