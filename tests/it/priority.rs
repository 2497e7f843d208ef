//! Audio goes first: what else the server does is behind the threads of the calls' audio.

use std::fs;

use super::server::Server;
use super::vendors::Vendors;

#[tokio::test]
async fn all_threads_but_those_of_the_audio_step_back() {
    let vendors = Vendors::start().await;
    let server = Server::start(&vendors, &[]).await;
    // So that the journal and everything else has been at work.
    let call = vendors.ring("silent").await;
    vendors.agent_answered().await;
    server.api.call_of(&call).await;

    let (_, own) = name_and_niceness("/proc/self/stat").unwrap();
    let threads = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    // One may end before it is looked at.
    let look = |thread: fs::DirEntry| name_and_niceness(&format!("{}/stat", thread.path().display()));
    let threads: Vec<_> = threads.filter_map(|thread| look(thread.unwrap())).collect();
    let (audio, others): (Vec<_>, Vec<_>) = threads.iter().partition(|(name, _)| name.starts_with("media-"));
    assert!(!audio.is_empty() && others.len() > 2, "{threads:?}");
    assert!(audio.iter().all(|(_, niceness)| *niceness == own), "{threads:?}");
    assert!(others.iter().all(|(_, niceness)| *niceness == (own + 5).min(19)), "{threads:?}");
}

/// A thread's name and niceness, from its `stat` (proc(5)); none of one that has ended.
fn name_and_niceness(stat: &str) -> Option<(String, i32)> {
    let text = fs::read_to_string(stat).ok()?;
    let (before, after) = text.rsplit_once(')').unwrap();
    let name = before.split_once('(').unwrap().1.to_owned();
    // Niceness is the 19th field; the name is the second.
    Some((name, after.split_whitespace().nth(16).unwrap().parse().unwrap()))
}
