//! `lib.http`: requests through the server's guarded client, which decides where they may go and how much they bring.

use nodetool_sdk::Registry;

mod download_dataframe;
mod download_files;
pub(crate) mod exchange;
mod fetch_page;
mod file_name;
mod filter_valid_urls;
pub(crate) mod idempotency;
mod image_downloader;
mod json_requests;
mod requests;
mod table;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) fn register(r: &mut Registry) {
    r.add::<requests::GetRequest>();
    r.add::<requests::PostRequest>();
    r.add::<requests::PutRequest>();
    r.add::<requests::DeleteRequest>();
    r.add::<requests::HeadRequest>();
    r.add::<requests::GetRequestBinary>();
    r.add::<requests::GetRequestDocument>();
    r.add::<requests::PostRequestBinary>();
    r.add::<json_requests::JSONGetRequest>();
    r.add::<json_requests::JSONPostRequest>();
    r.add::<json_requests::JSONPutRequest>();
    r.add::<json_requests::JSONPatchRequest>();
    r.add::<download_dataframe::DownloadDataframe>();
    r.add::<download_files::DownloadFiles>();
    r.add::<fetch_page::FetchPage>();
    r.add::<filter_valid_urls::FilterValidURLs>();
    r.add::<image_downloader::ImageDownloader>();
}
