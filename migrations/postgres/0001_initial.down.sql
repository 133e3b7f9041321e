DROP TABLE setting, control, allowance, send_pause, send_window, outbox, turn, decision, transcript, inbox, chat_absence,
    chat_member, chat_alias, chat_head, chat, persona_revision, persona, bot_delivery, bot_cursor, bot, commit_mark, lease,
    node;
