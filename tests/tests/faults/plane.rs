//! A real control plane under load while something breaks: people who go on talking, and readers that come back by
//! `Last-Event-ID`.

use docket_tests::{
    client::{Answer, Client},
    server::{Server, text},
    sse::{DEADLINE, Event, EventStream},
};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

const CHATS: usize = 4;
/// Words of each answer, one every other ms.
const WORDS: usize = 150;

/// What a person was told.
#[derive(Debug, Default)]
struct Account {
    accepted: Vec<String>,
    problems: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Plane {
    client: Client,
    stop: Arc<AtomicBool>,
    answers: Vec<Arc<AtomicUsize>>,
    people: Vec<JoinHandle<Account>>,
    end: watch::Sender<Option<u64>>,
    readers: Vec<JoinHandle<Seen>>,
    chats: Vec<String>,
}

/// What one reader was sent, over all its connections.
#[derive(Debug, Default)]
struct Seen {
    events: Vec<Event>,
    connections: usize,
}

/// What was compared in the end.
#[derive(Debug, Default)]
pub struct Compared {
    pub events: usize,
    pub prompts: usize,
    pub connections: usize,
    /// The problems that people were told, each of them once.
    pub problems: Vec<(String, String)>,
}

impl Plane {
    pub async fn start(server: &Server) -> Self {
        let (client, stop, end) = (server.client(), Arc::new(AtomicBool::new(false)), watch::Sender::new(None));
        let (address, token) = (server.address(), server.token());
        let mut plane =
            Self { client, stop, answers: Vec::new(), people: Vec::new(), end, readers: Vec::new(), chats: Vec::new() };
        for _ in 0..CHATS {
            let chat = plane.client.post("/chats", &json!({})).await.ok()["id"].as_str().unwrap().to_owned();
            let answers = Arc::new(AtomicUsize::new(0));
            plane.people.push(tokio::spawn(talk(plane.client.clone(), chat.clone(), plane.stop.clone(), answers.clone())));
            let path = format!("/api/v1/chats/{chat}/events");
            plane.readers.push(tokio::spawn(read(address, path, token.clone(), plane.end.subscribe(), answers.clone())));
            plane.answers.push(answers);
            plane.chats.push(chat);
        }
        let nobody = Arc::default();
        plane.readers.push(tokio::spawn(read(address, "/api/v1/events".into(), token, plane.end.subscribe(), nobody)));
        plane
    }

    /// Waits until each chat was sent so many more events.
    pub async fn gets_on(&self, by: usize) {
        let now = || self.answers.iter().map(|count| count.load(Ordering::SeqCst));
        let before: Vec<usize> = now().collect();
        let wait = async {
            while now().zip(&before).any(|(now, before)| now < before + by) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, wait).await.expect("the chats get on by themselves");
    }

    /// Waits until the server says of itself that it is not ready; what is wrong.
    pub async fn says_what_is_wrong(&self) -> String {
        let answer = self.readyz(|answer| answer.status != 200).await;
        let (code, detail) = answer.problem(503);
        assert_eq!(code, "not_ready");
        detail
    }

    /// Waits until the server says of itself that it is ready.
    pub async fn gets_well(&self) {
        self.readyz(|answer| answer.status == 200).await;
    }

    async fn readyz(&self, fits: impl Fn(&Answer) -> bool) -> Answer {
        let wait = async {
            loop {
                let answer = self.client.readyz().await;
                if fits(&answer) {
                    return answer;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(DEADLINE, wait).await.expect("the server says how it is")
    }

    /// Lets the turns end and compares: what was accepted is there once, and every reader saw every event once and in order.
    pub async fn compare(self, server: &Server) -> Compared {
        self.stop.store(true, Ordering::SeqCst);
        let mut compared = Compared::default();
        let mut accounts = Vec::new();
        for person in self.people {
            accounts.push(timeout(DEADLINE, person).await.expect("a person is answered in time").unwrap());
        }
        for chat in &self.chats {
            let wait = async {
                while self.client.get(&format!("/chats/{chat}")).await.ok()["chat"]["status"] != "waiting" {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            timeout(DEADLINE, wait).await.expect("every turn ends by itself");
        }
        let log = server.whole_log().await;
        assert!(log.iter().map(Event::position).eq(1..=log.len() as u64), "the log has holes, repeats or another order");
        self.end.send_replace(Some(log.last().unwrap().position()));
        let mut histories = Vec::new();
        for (chat, account) in self.chats.iter().zip(accounts) {
            let history = server.history(chat).await;
            for prompt in &account.accepted {
                let asks = |event: &&Event| event.is("chat.prompt_submitted") || event.is("chat.prompt_queued");
                let asked = history.iter().filter(asks).filter(|event| event.data.contains(prompt));
                assert_eq!(asked.count(), 1, "{prompt} was accepted");
            }
            let count = |name: &str| history.iter().filter(|event| event.is(name)).count();
            assert_eq!(count("chat.turn_requested"), account.accepted.len());
            assert_eq!(history.iter().filter(|event| event.ends_turn()).count(), account.accepted.len());
            compared.prompts += account.accepted.len();
            compared.problems.extend(account.problems);
            histories.push(history);
        }
        compared.problems.sort();
        compared.problems.dedup();
        histories.push(log);
        for (reader, history) in self.readers.into_iter().zip(histories) {
            let seen = timeout(DEADLINE, reader).await.expect("a reader gets to the end in time").unwrap();
            assert!(seen.events == history, "a reader saw {} events, and there are {}", seen.events.len(), history.len());
            compared.events += seen.events.len();
            compared.connections += seen.connections;
        }
        compared
    }
}

/// Sends one prompt after the other, each under its key until it is accepted, and waits for about as much as an answer.
async fn talk(client: Client, chat: String, stop: Arc<AtomicBool>, answers: Arc<AtomicUsize>) -> Account {
    let mut account = Account::default();
    let words: String = (0..WORDS).map(|word| format!("word{word} ")).collect();
    while !stop.load(Ordering::SeqCst) {
        let (before, prompt) = (answers.load(Ordering::SeqCst), format!("prompt-{}-of-{chat}", account.accepted.len()));
        let body = json!({ "content": text(&format!("@pace 2\n@say {prompt} {words}")), "delivery": "turn_end" }).to_string();
        let path = format!("/chats/{chat}/messages");
        loop {
            let answer = client.send(reqwest::Method::POST, &path, &[("idempotency-key", &prompt)], body.clone()).await;
            if answer.status < 300 {
                break;
            }
            account.problems.push(answer.problem(503));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        account.accepted.push(prompt);
        while answers.load(Ordering::SeqCst) < before + WORDS && !stop.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    account
}

async fn read(
    address: SocketAddr,
    path: String,
    token: String,
    mut end: watch::Receiver<Option<u64>>,
    count: Arc<AtomicUsize>,
) -> Seen {
    let mut seen = Seen::default();
    loop {
        let last = seen.events.last().map_or(0, Event::position);
        let finish = *end.borrow_and_update();
        let path = finish.map_or_else(|| path.clone(), |end| format!("{path}?until={end}"));
        let Ok(mut stream) = EventStream::try_open(address, &path, &token, Some(last)).await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        seen.connections += 1;
        loop {
            let event = tokio::select! {
                event = stream.next() => event,
                // The rest, to the end that is known now.
                _ = end.changed() => None,
            };
            match event {
                // What has no position is not of the log: an error, or the server's end.
                Some(event) if event.id.is_none() => {}
                Some(event) => {
                    seen.events.push(event);
                    count.fetch_add(1, Ordering::SeqCst);
                }
                None if finish.is_some() => return seen,
                None => break,
            }
        }
    }
}
