//! `lib.mail`: searching and sorting the mail of a Gmail account over IMAP, and sending mail over SMTP.

use nodetool_sdk::Registry;

mod account;
mod add_label;
mod gmail_search;
mod imap;
mod lines;
mod message;
mod move_to_archive;
mod send_email;
mod smtp;
#[cfg(test)]
mod testing;
mod words;

pub(crate) fn register(r: &mut Registry) {
    r.add::<gmail_search::GmailSearch>();
    r.add::<add_label::AddLabel>();
    r.add::<move_to_archive::MoveToArchive>();
    r.add::<send_email::SendEmail>();
}
