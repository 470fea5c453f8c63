package state

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	// idleForwards is how many connections to the leader are kept between proposals: a handshake costs more than the
	// change itself. More are only of use while as many changes are under way in this zone.
	idleForwards = 8
	// idleForwardLife is how long one is kept, and a little less than forwardPatience, for which the leader waits for
	// the next proposal.
	idleForwardLife = 20 * time.Second
	forwardPatience = 30 * time.Second
)

// reply answers a forwarded proposal.
type reply struct {
	Outcome outcome `json:"outcome"`
	// Error says why there is no outcome, and Refused that there will be none.
	Error   string `json:"error,omitempty"`
	Refused bool   `json:"refused,omitempty"`
	// Logged is the newest proposal in the log of who answers how far its copy is, decided or not.
	Logged uint64 `json:"logged,omitempty"`
}

// forwards are a voter's idle connections to another zone, the last used last. The port closes them with all others.
type forwards struct {
	mu   sync.Mutex
	zone string
	idle []idleForward
}

type idleForward struct {
	conn  net.Conn
	since time.Time
}

// take returns a connection to that zone, or nil. What is of no use any more is closed.
func (f *forwards) take(zone string) net.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.idle) > 0 {
		last := f.idle[len(f.idle)-1]
		f.idle = f.idle[:len(f.idle)-1]
		if f.zone == zone && time.Since(last.since) < idleForwardLife {
			return last.conn
		}
		last.conn.Close()
	}
	return nil
}

// put keeps a connection on which nothing is under way, or closes it.
func (f *forwards) put(zone string, conn net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.zone != zone {
		for _, old := range f.idle {
			old.conn.Close()
		}
		f.zone, f.idle = zone, nil
	}
	if len(f.idle) == idleForwards {
		conn.Close()
		return
	}
	f.idle = append(f.idle, idleForward{conn, time.Now()})
}

// forward brings the proposal to the voter that leads.
func (l *life) forward(ctx context.Context, leader string, data []byte) (outcome, error) {
	// A leader that was paused answers nothing: when another is known, ask that one.
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	defer func() { cancel(); <-watched }()
	go func() {
		defer close(watched)
		for {
			now, changed := l.voter.leaderSignal()
			if now != leader {
				cancel()
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	// Asked twice, the proposal's id gets it the first one's outcome.
	r, err := l.ask(ctx, &l.forwards, leader, forForward, data)
	switch {
	case err != nil:
		return outcome{}, fmt.Errorf("forward to zone %s: %w", leader, err)
	case r.Refused:
		return outcome{}, fmt.Errorf("%w: %s", errRefused, r.Error)
	case r.Error != "":
		return outcome{}, fmt.Errorf("zone %s: %s", leader, r.Error)
	}
	return r.Outcome, nil
}

// ask sends a question to another zone's voter, over a connection that is kept for the next one, and reads the answer.
func (l *life) ask(ctx context.Context, idle *forwards, zone string, purpose byte, question []byte) (reply, error) {
	for {
		conn := idle.take(zone)
		kept := conn != nil
		if !kept {
			var err error
			if conn, err = l.port.dial(ctx, l.address(zone), purpose); err != nil {
				return reply{}, err
			}
		}
		r, err := exchange(ctx, conn, question)
		if err == nil {
			idle.put(zone, conn)
			return r, nil
		}
		conn.Close()
		if !kept || ctx.Err() != nil {
			return reply{}, err
		}
		// It had been closed meanwhile.
	}
}

// exchange sends a proposal and reads its answer. After an error the connection is of no more use.
func exchange(ctx context.Context, conn net.Conn, data []byte) (r reply, err error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	if err = writeFrame(conn, data); err == nil {
		err = readFrame(conn, &r)
	}
	if !stop() && err == nil { // the answer came, and the connection is spoilt all the same
		err = ctx.Err()
	}
	return r, err
}

// answerForwards decides what another voter forwards to this one, which it holds to be the leader.
func (l *life) answerForwards(ctx context.Context, conn net.Conn) { answerEach(ctx, l, conn, l.answer) }

// answerEach answers another voter's questions, one after the other.
func answerEach[Question any](
	ctx context.Context, l *life, conn net.Conn, answer func(context.Context, Question) reply,
) {
	for {
		conn.SetReadDeadline(time.Now().Add(forwardPatience))
		var question Question
		if err := readFrame(conn, &question); err != nil {
			if !errors.Is(err, io.EOF) {
				l.cfg.Logger.Debug("read another voter's question", "az", l.cfg.Zone, "error", err)
			}
			return
		}
		conn.SetWriteDeadline(time.Now().Add(proposeLimit + greetTimeout))
		text, err := json.Marshal(answer(ctx, question))
		if err == nil {
			err = writeFrame(conn, text)
		}
		if err != nil {
			l.cfg.Logger.Debug("answer another voter", "az", l.cfg.Zone, "error", err)
			return
		}
	}
}

func (l *life) answer(ctx context.Context, p proposal) (r reply) {
	data, err := json.Marshal(p)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, proposeLimit)
		defer cancel()
		r.Outcome, err = l.decide(ctx, data)
	}
	if err != nil {
		r.Error, r.Refused = err.Error(), errors.Is(err, errRefused)
	}
	return r
}

// A frame is four bytes of length, big endian, and JSON.
func writeFrame(w io.Writer, data []byte) error {
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(data)), uint32(len(data)))
	_, err := w.Write(append(frame, data...))
	return err
}

func readFrame(r io.Reader, into any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > proposalSize {
		return fmt.Errorf("a message of %d bytes is too large", n)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
