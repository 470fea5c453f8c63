package autoscaling

import (
	"strconv"
	"strings"
	"time"
)

// cron is a recurrence as scheduled actions have it: minute, hour, day of the month, month, day of the week.
type cron struct {
	minute, hour, day, month, weekday uint64 // bits
	anyDay, anyWeekday                bool
}

var (
	cronNames = map[string]string{"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *",
		"@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *"}
	monthNames   = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	weekdayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// parseCron reads a recurrence; ok is false where it is none.
func parseCron(text string) (c cron, ok bool) {
	if full, named := cronNames[strings.TrimSpace(text)]; named {
		text = full
	}
	fields := strings.Fields(text)
	if len(fields) != 5 {
		return c, false
	}
	oks := make([]bool, 5)
	c.minute, oks[0] = cronField(fields[0], 0, 59, nil)
	c.hour, oks[1] = cronField(fields[1], 0, 23, nil)
	c.day, oks[2] = cronField(fields[2], 1, 31, nil)
	c.month, oks[3] = cronField(fields[3], 1, 12, monthNames)
	c.weekday, oks[4] = cronField(fields[4], 0, 7, weekdayNames)
	if c.weekday&(1<<7) != 0 { // Sunday is 0 and 7
		c.weekday |= 1
	}
	c.anyDay, c.anyWeekday = fields[2] == "*", fields[4] == "*"
	for _, one := range oks {
		if !one {
			return c, false
		}
	}
	return c, true
}

// cronField reads lists of numbers, ranges and steps.
func cronField(text string, least, most int, names []string) (bits uint64, ok bool) {
	number := func(text string) (int, bool) {
		for i, name := range names {
			if strings.EqualFold(text, name) {
				return i + least, true
			}
		}
		n, err := strconv.Atoi(text)
		return n, err == nil && n >= least && n <= most
	}
	for part := range strings.SplitSeq(text, ",") {
		span, stepText, stepped := strings.Cut(part, "/")
		step, first, last, ok := 1, least, most, true
		if stepped {
			n, err := strconv.Atoi(stepText)
			if err != nil || n < 1 {
				return 0, false
			}
			step = n
		}
		if span != "*" {
			from, to, ranged := strings.Cut(span, "-")
			if first, ok = number(from); !ok {
				return 0, false
			}
			switch {
			case ranged:
				if last, ok = number(to); !ok || last < first {
					return 0, false
				}
			case !stepped:
				last = first
			}
		}
		for n := first; n <= last; n += step {
			bits |= 1 << n
		}
	}
	return bits, true
}

// cronHorizon is how far next looks: a day such as 29 February comes within eight years.
const cronHorizon = 8 * 366

// next is the first time of the recurrence after t, in t's location; zero: there is none.
func (c cron) next(t time.Time) time.Time {
	t = t.Truncate(time.Minute).Add(time.Minute)
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	for range cronHorizon {
		if c.onDay(day) {
			for hour := range 24 {
				for minute := range 60 {
					at := time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, t.Location())
					if c.hour&(1<<hour) != 0 && c.minute&(1<<minute) != 0 && !at.Before(t) {
						return at
					}
				}
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}
}

// onDay says whether the recurrence has the day: where both kinds of days are limited, either will do.
func (c cron) onDay(day time.Time) bool {
	if c.month&(1<<int(day.Month())) == 0 {
		return false
	}
	inMonth, inWeek := c.day&(1<<day.Day()) != 0, c.weekday&(1<<int(day.Weekday())) != 0
	if c.anyDay || c.anyWeekday {
		return inMonth && inWeek
	}
	return inMonth || inWeek
}
