package histories

import (
	"sync"
	"time"
)

// clock is a history's time. Its zero value is ready.
type clock struct {
	once  sync.Once
	begun time.Time
}

// Now is the time in the history, in nanoseconds since it was asked for first.
func (c *clock) Now() int64 {
	c.once.Do(func() { c.begun = time.Now() })
	return int64(time.Since(c.begun))
}
