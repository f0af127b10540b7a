"""The words that snapshots and steps consist of, so that short ones compress well too.

Used by `codec` only. Stored bytes depend on it: it is never changed, only followed by another
form. Without it an event of 430 bytes takes 315, with it 190.
"""

from __future__ import annotations

FIRST = (
    b'{"ref":"","version":"","item":{"kind":"absence","uid":"","title":"","start":"2026-01-01T00:'
    b'00:00","end":"2026-01-02T00:00:00","all_day":true,"absence_kind":"vacation","message":""},'
    b'"marker":""}{"ref":"","version":"","item":{"kind":"contact","uid":"","full_name":"","given":'
    b'"","family":"","organization":"","department":"","job_title":"","mails":[{"address":"","type'
    b'":"work","preferred":true}],"phones":[{"number":"+49","type":"work","features":["voice","cel'
    b'l"]}],"addresses":[{"type":"work","street":"","locality":"","region":"","postcode":"","count'
    b'ry":"Germany"}],"urls":["https://www."],"birthday":"1970-01-01","notes":""},"marker":""}{"re'
    b'f":"","version":"","item":{"kind":"task","uid":"","title":"","due":"2026-01-01T00:00:00","ti'
    b'me_zone":"Europe/Berlin","all_day":true,"body":{"text":"","type":"text/plain"},"status":"nee'
    b'ds-action","percent":50,"completed":"2026-01-01T09:00:00Z","priority":5},"marker":""}{"why":'
    b'"","step":"update","side":"groupware","source":{"before":{"after":{"pairing":"","changes":[{'
    b'"field":"title","before":"","after":""}],"mails":[]}{"ref":"/calendars/user/calendar/.ics","'
    b'version":"\\"","item":{"kind":"event","uid":"","categories":[""],"privacy":"private","extras'
    b'":{"ical:X-":"","crm:":""},"title":"","start":"2026-01-01T09:00:00","end":"2026-01-01T10:00:'
    b'00","time_zone":"Europe/Berlin","all_day":true,"rule":{"frequency":"weekly","interval":1,"co'
    b'unt":10,"by_day":[{"day":"mo"}]},"exdates":["2026-01-01T09:00:00"],"overrides":[{"recurrence'
    b'_id":"2026-01-01T09:00:00","title":"","start":"2026-01-01T09:00:00","end":"2026-01-01T10:00:'
    b'00"}],"body":{"text":"","type":"text/html"},"location":"","online_meeting":"https://","url":'
    b'"","status":"tentative","busy":"free","priority":5,"reminders":[{"minutes":15}],"organizer":'
    b'{"address":"@example.com","name":""},"attendees":[{"address":"@example.com","name":"","role"'
    b':"optional","reply":"needs-action","rsvp":true},{"address":"@example.com","name":"","reply":'
    b'"accepted"}],"people":[{"address":"","name":""}],"sequence":1},"marker":"/event/","key":"",'
    b'"modified":"2026-01-01T09:00:00Z","folder":"","by":"","readonly":true}'
)
