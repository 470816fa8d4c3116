//! The nets of these tests catch something: else nothing found would mean nothing.

use super::*;
use crate::browser::PHONE;

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_be_on_a_page_is_found() {
    let site = Site::new("streams: []\n");
    let service = site.start();
    let mut browser = signed_in(&service).await;
    browser.size(PHONE).await;
    assert_eq!((browser.findings().await, browser.sticks_out().await), (Vec::new(), Vec::new()));
    let script = "document.querySelector('main').insertAdjacentHTML('afterbegin', \
                  `<p class='wide'>wide</p><img src='/icon.svg'><button></button><p class='pale'>pale</p>`); \
                  document.querySelector('.pale').style.color = '#bbb'; \
                  document.querySelector('.wide').style.width = '900px';";
    browser.run(script, &[]).await;
    let (findings, wide) = (browser.findings().await.join("\n"), browser.sticks_out().await.join("\n"));
    for rule in ["image-alt", "button-name", "color-contrast"] {
        assert!(findings.contains(rule), "{rule} is not among {findings}");
    }
    assert!(wide.contains("class=\"wide\""), "{wide:?}");

    assert_eq!(browser.complaints().await, Vec::<String>::new());
    let script = "document.body.insertAdjacentHTML('beforeend', `<p style='color: red'>styled</p>`); \
                  document.body.append(Object.assign(document.createElement('script'), { textContent: '1' })); \
                  setTimeout(() => { throw new Error('thrown'); }); \
                  Promise.reject(new Error('not caught')); \
                  console.error('said'); \
                  return fetch('/api/nothing').then(() => true)";
    browser.run(script, &[]).await;
    let mut complaints = String::new();
    let expected = ["CSP: style-src", "CSP: script-src", "thrown", "not caught", "said", "/api/nothing"];
    while !expected.iter().all(|part| complaints.contains(part)) {
        complaints = browser.complaints().await.join("\n");
    }
    for part in expected.iter().chain(&["Content Security Policy", "Script error"]) {
        browser.excuse(part);
    }
    browser.done().await;
    assert_eq!(service.stop().0, 0);
}
