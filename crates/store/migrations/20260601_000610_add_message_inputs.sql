ALTER TABLE nodetool_messages ADD COLUMN workflow_message_input_name TEXT;

ALTER TABLE nodetool_messages ADD COLUMN workflow_messages_input_name TEXT;
