//! Which folders the page may name, to share them and to have downloads put there.

use std::path::{Path, PathBuf};

use super::*;

/// What the page may name, and what it may not.
struct Folders {
    own: PathBuf,
    shared: PathBuf,
    closed: Vec<PathBuf>,
    _elsewhere: tempfile::TempDir,
}

impl Folders {
    fn of(page: &Page) -> Self {
        let elsewhere = tempfile::tempdir().unwrap();
        let (own, shared) = (page.home.path().join("music"), elsewhere.path().join("shared"));
        for folder in [&own, &shared] {
            std::fs::create_dir_all(folder.join("album")).unwrap();
            std::fs::create_dir_all(folder.join(".keys")).unwrap();
        }
        std::os::unix::fs::symlink(elsewhere.path(), page.home.path().join("way out")).unwrap();
        page.library.add_share(&shared, None).unwrap();
        let outside = ["", "nothing/here", "shared/.keys"].map(|path| elsewhere.path().join(path));
        let ways_out = [
            "way out",
            "way out/nothing",
            "music/../way out",
            "nothing/../../../etc",
            ".new/x",
            "music/.keys",
        ];
        let ways_out = ways_out.map(|way| page.home.path().join(way));
        let closed = outside.into_iter().chain(ways_out).chain(["/etc".into(), "/".into()]).collect();
        Self { own, shared, closed, _elsewhere: elsewhere }
    }

    fn open(&self) -> [PathBuf; 3] {
        [self.own.clone(), self.shared.clone(), self.shared.join("album")]
    }
}

/// The status, and the detail of a problem.
async fn answer(request: RequestBuilder) -> (StatusCode, String) {
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, response.json::<Value>().await.unwrap()["detail"].as_str().unwrap_or_default().to_owned())
}

#[actix_web::test]
async fn the_page_shares_only_what_is_in_its_folders_or_shared_already() {
    let page = Page::serve();
    let (session, folders) = (page.session().await, Folders::of(&page));
    for route in ["/v1/shares/preview", "/v1/shares"] {
        let ask = async |path: &Path| {
            let asked = page.request(Method::POST, route).json(&json!({ "path": path }));
            answer(asked.bearer_auth(&session)).await
        };
        for path in &folders.closed {
            let (status, told) = ask(path).await;
            let is_told =
                told.contains("the page shares only what is in") && told.contains("peerctl share add");
            assert!(is_told && status == StatusCode::UNPROCESSABLE_ENTITY, "{}: {told}", path.display());
        }
        let (_, told) = ask(&folders.own.join("nothing")).await;
        assert!(told.contains("does not exist"), "{told}");
        for path in folders.open() {
            let (status, told) = ask(&path).await;
            assert!(status.is_success(), "{}: {told}", path.display());
        }
    }
    page.end().await;
}

#[actix_web::test]
async fn the_page_has_downloads_put_only_where_it_may_share() {
    let page = Page::serve();
    let (session, folders) = (page.session().await, Folders::of(&page));
    let state = page.home.path().join(STATE);
    let set = async |path: &Path| {
        let asked = page.request(Method::PUT, "/v1/config/download_dir").json(&json!({ "value": path }));
        answer(asked.bearer_auth(&session)).await
    };
    for path in folders.closed.iter().chain([&state, &state.join("x"), &"Downloads".into()]) {
        let (status, told) = set(path).await;
        let ways = ["the page has downloads put only into", "peerctl config set download_dir", "gui_folders"];
        let is_told = ways.iter().all(|way| told.contains(way));
        assert!(is_told && status == StatusCode::UNPROCESSABLE_ENTITY, "{}: {told}", path.display());
    }
    for path in folders.open().into_iter().chain([folders.own.join("new/folder")]) {
        let (status, told) = set(&path).await;
        assert!(status.is_success(), "{}: {told}", path.display());
    }
    page.end().await;
}
