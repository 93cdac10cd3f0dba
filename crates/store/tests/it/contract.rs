//! What every database behind the store has to do: plain functions over an open store, run against a
//! database in memory and one on disk.

mod api_keys;
mod assets;
mod browsers;
mod collections;
mod edits;
mod jobs;
mod messages;
mod oauth_credentials;
mod predictions;
mod recovery;
mod retention;
mod rules;
mod secrets;
mod settings;
mod triggers;
mod versions;
mod workflows;
mod workspaces;

use nodetool_store::Store;

use crate::samples::Folder;

/// Runs each case against an empty store in memory and an empty store on disk.
macro_rules! contract {
    ($($module:ident: $($case:ident),* $(,)?;)*) => {
        mod in_memory {
            $($(#[tokio::test]
            async fn $case() {
                super::$module::$case(super::Store::open_in_memory().unwrap()).await;
            })*)*
        }
        mod on_disk {
            $($(#[tokio::test]
            async fn $case() {
                let folder = super::Folder::new();
                let store = folder.open();
                super::$module::$case(store.clone()).await;
                store.close().await.unwrap();
            })*)*
        }
    };
}

contract! {
    api_keys:
        a_key_is_found_by_its_hash_and_belongs_to_its_user,
        a_hash_is_given_once,
        a_user_has_a_bounded_number_of_keys,
        the_last_use_of_a_key_is_noted_now_and_then,
    ;
    collections:
        a_collection_reads_back_and_is_its_users_alone,
        a_name_is_given_once_to_each_user,
        an_update_changes_what_it_names_and_the_revision,
        the_model_changes_only_while_there_are_no_documents,
        documents_come_in_the_order_they_were_put_and_are_replaced_in_place,
        documents_of_a_source_replace_those_before,
        a_put_is_kept_whole_or_not_at_all,
        vectors_read_back_bit_by_bit,
        texts_are_visited_in_order,
        deleting_a_collection_deletes_its_documents,
    ;
    edits:
        a_workflow_and_its_loop_are_saved_both_or_neither,
        a_list_holds_loops_only_or_the_others_only,
        a_key_names_one_file_of_a_node,
        a_node_that_is_gone_leaves_no_values_and_files,
    ;
    workflows:
        a_workflow_reads_back_column_by_column,
        a_workflow_id_is_given_once,
        a_workflow_row_is_put_as_it_is_given_and_stays_its_owners,
        a_list_and_a_read_give_the_same_etag,
        filters_restrict_the_list_before_the_limit,
        a_save_of_a_row_that_has_changed_since_changes_nothing,
        every_save_gives_a_later_time_and_another_etag,
        a_save_keeps_what_a_client_may_leave_out,
        a_save_creates_then_changes_but_never_takes_over,
        a_graph_is_changed_by_the_owner_alone,
        schemas_are_filled_into_the_save_they_were_made_of,
        a_list_reads_only_the_columns_it_is_asked_for,
        the_access_of_a_workflow_is_read_by_itself,
        only_the_owner_deletes,
    ;
    versions:
        versions_are_numbered_within_their_workflow,
        a_version_without_a_graph_takes_the_one_of_the_moment,
        a_version_of_nobodys_workflow_is_refused,
        versions_are_listed_newest_first_and_each_once,
        a_version_is_deleted_by_owner_and_workflow,
        deleting_a_workflow_deletes_its_versions,
        an_autosave_soon_after_another_is_skipped,
        an_empty_autosave_deletes_nothing,
        autosaves_stay_within_their_number,
        versions_saved_by_hand_are_not_counted,
        old_autosaves_beyond_those_kept_go_with_any_save,
    ;
    jobs:
        a_job_takes_the_defaults_of_its_columns,
        the_large_texts_of_a_job_are_kept_apart,
        a_job_id_is_given_once,
        insert_and_finish_in_one_breath_arrive_in_order,
        a_job_stored_at_its_end_is_the_row_that_two_writes_leave,
        a_change_from_an_old_version_is_refused,
        a_change_from_another_status_is_refused,
        a_terminal_status_never_changes,
        a_suspension_is_kept_through_a_resume,
        a_failure_keeps_its_error_and_time,
        interrupted_jobs_of_silent_processes_fail,
        interrupted_jobs_of_named_workers_fail,
        jobs_are_listed_by_user_and_workflow,
        jobs_are_listed_by_status,
        what_a_job_gave_is_kept_with_it,
        large_texts_of_every_column_read_back,
        no_text_can_pose_as_a_reference,
    ;
    recovery:
        node_records_read_back_by_node_and_invocation,
        a_finished_node_stays_finished,
        a_checkpoint_keeps_the_first_graph_and_the_highest_event,
        a_checkpoint_of_an_ended_or_absent_job_is_refused,
        records_that_cannot_be_are_refused,
        the_end_of_a_job_takes_its_node_records_along,
        a_suspended_or_paused_job_keeps_its_node_records,
        unfinished_jobs_come_oldest_first_with_everything,
        a_job_is_taken_over_once,
        reserved_events_only_rise,
        a_heartbeat_or_a_save_is_a_sign_of_life,
    ;
    retention:
        old_jobs_are_deleted_but_never_unfinished_ones,
        a_limit_bounds_one_call,
        the_oldest_jobs_go_until_the_rest_fits,
        deleting_a_job_frees_its_id,
    ;
    messages:
        a_thread_is_listed_renamed_and_deleted_by_its_owner_only,
        a_message_reads_back_column_by_column,
        messages_come_in_the_order_of_their_times_whatever_their_ids,
        a_message_enters_only_a_thread_of_its_owner,
        a_message_and_the_thread_it_begins_are_stored_together_or_not_at_all,
        a_deleted_thread_takes_its_messages_along,
        messages_are_stored_together_or_not_at_all,
        the_newest_messages_are_read_without_those_of_agents_at_work,
    ;
    predictions:
        a_prediction_reads_back_column_by_column,
        predictions_are_listed_newest_first,
        costs_are_summed_by_the_database,
    ;
    browsers:
        sessions_and_pools_are_their_owners_alone,
        a_pool_has_one_rule_for_each_domain_and_takes_them_along,
    ;
    workspaces:
        a_user_has_one_default_workspace,
        an_update_changes_only_what_it_names,
        a_workspace_in_use_is_kept,
    ;
    settings:
        settings_are_stored_and_forgotten_by_key,
    ;
    oauth_credentials:
        a_credential_reads_back_column_by_column,
        an_account_has_one_row_for_each_user,
        the_newest_credentials_come_first,
        fresh_tokens_keep_what_they_do_not_bring,
        tokens_are_replaced_only_where_they_are_still_those_that_were_read,
        a_credential_is_read_and_deleted_by_its_id_for_its_user_alone,
        a_user_has_so_many_accounts_at_a_site_and_no_more,
    ;
    secrets:
        a_secret_reads_back_and_is_its_users_alone,
        a_secret_that_is_stored_again_keeps_its_id_and_description,
        secrets_of_two_keys_never_mix,
        the_key_is_forgotten_with_the_last_secret,
        settings_and_secrets_are_stored_together_or_not_at_all,
        all_secrets_get_another_key_or_none,
    ;
    triggers:
        a_schedule_reads_back_and_goes_with_its_node,
        schedules_are_listed_and_counted_by_user,
        a_due_time_fires_once_and_moves_its_schedule_with_it,
        a_clock_that_went_back_gives_no_event_twice,
        a_schedule_that_was_stopped_is_not_due,
        an_event_delivered_twice_is_one_event,
        what_was_seen_and_its_events_are_stored_together,
        events_wait_in_order_until_they_are_jobs,
        a_schedule_is_listed_with_the_end_of_its_last_job,
        a_node_id_no_schedule_may_have_is_refused,
    ;
    assets:
        an_asset_reads_back_column_by_column,
        an_asset_is_only_its_owners,
        an_asset_row_is_put_as_it_is_given_and_stays_its_owners,
        the_bytes_of_a_user_are_added_up,
        filters_restrict_the_list_of_assets,
        assets_come_in_pages_by_id,
        a_search_ignores_the_case_of_ascii_and_knows_no_wildcards,
        a_parent_has_to_be_a_folder_of_the_owner,
        a_folder_cannot_be_moved_into_itself,
        folders_have_at_most_64_levels,
        a_folder_is_deleted_after_what_is_in_it,
        a_walk_gives_each_asset_once_with_its_folders,
        a_patch_changes_only_what_it_sets,
    ;
    rules:
        odd_ids_are_only_text,
        refused_input_never_reaches_the_database,
        a_store_reports_its_migrations,
    ;
}
