use super::*;

#[test]
fn what_files_and_servers_say_is_never_markup() {
    let mut html = Markup::default();
    html.text("<script>\"a\"&'b'\n");
    assert_eq!(
        html.into_string(),
        "&lt;script&gt;&quot;a&quot;&amp;&#39;b&#39; "
    );
}
