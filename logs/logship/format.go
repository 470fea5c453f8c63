package logship

import (
	"bytes"
	"encoding/json"
	"time"
)

// Format is how a log's lines are to be understood.
type Format struct {
	// Stamp is the time that a line bears; ok is false for one that has none, which belongs to the one before it.
	Stamp func(line []byte) (when time.Time, ok bool)
	// Joined says that lines without a time are parts of the event before them, such as stack traces. Otherwise each line
	// is an event.
	Joined bool
}

// The formats of a control plane's logs.
var (
	// Klog is the format of Kubernetes' components: "I1125 16:30:01.123456   12345 controller.go:123] ...".
	Klog = Format{Stamp: klogStamp, Joined: true}
	// Audit is a line of JSON for each event of the API server's audit log.
	Audit = Format{Stamp: auditStamp}
	// Text is the format of log/slog: "time=2026-11-25T16:30:01.123Z level=INFO msg=...".
	Text = Format{Stamp: textStamp, Joined: true}
)

// klogStamp reads klog's header. It has no year: the newest is meant in which the time is not ahead by more than a day.
func klogStamp(line []byte) (time.Time, bool) {
	const header = "I0102 15:04:05.000000"
	if len(line) < len(header) || bytes.IndexByte([]byte("IWEF"), line[0]) < 0 {
		return time.Time{}, false
	}
	when, err := time.ParseInLocation(header[1:], string(line[1:len(header)]), time.Local)
	if err != nil {
		return time.Time{}, false
	}
	now := time.Now()
	when = when.AddDate(now.Year(), 0, 0)
	if when.After(now.Add(24 * time.Hour)) {
		when = when.AddDate(-1, 0, 0)
	}
	return when, true
}

func auditStamp(line []byte) (time.Time, bool) {
	var event struct {
		StageTimestamp time.Time `json:"stageTimestamp"`
	}
	if json.Unmarshal(line, &event) != nil || event.StageTimestamp.IsZero() {
		return time.Time{}, false
	}
	return event.StageTimestamp, true
}

func textStamp(line []byte) (time.Time, bool) {
	rest, found := bytes.CutPrefix(line, []byte("time="))
	if !found {
		return time.Time{}, false
	}
	text, _, _ := bytes.Cut(rest, []byte(" "))
	when, err := time.Parse(time.RFC3339Nano, string(text))
	return when, err == nil
}

// entry is what becomes one event.
type entry struct {
	when    time.Time
	stamped bool // the time is its own; else it goes on what came before
	text    []byte
}

// entries splits lines. Those at the beginning that bear no time have that of the entry before.
func (f Format) entries(lines []byte, before time.Time) (all []entry) {
	for line := range bytes.Lines(lines) {
		line = bytes.TrimRight(line, "\r\n")
		when, ok := f.Stamp(line)
		if n := len(all); !ok && f.Joined && n > 0 && len(all[n-1].text)+len(line) < mostMessage {
			last := &all[n-1]
			last.text = append(append(last.text[:len(last.text):len(last.text)], '\n'), line...)
			continue
		}
		if len(line) == 0 {
			continue
		}
		if !ok {
			when = before
		}
		before = when
		all = append(all, entry{when, ok, line[:min(len(line), mostMessage)]})
	}
	return all
}

// mostMessage is how long an event of CloudWatch Logs may be, in bytes; what is beyond is cut off.
const mostMessage = 1<<20 - 26
