package logrouter

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// forwarded is a message of the forward protocol as it was decoded.
type forwarded struct {
	tag     string
	entries []string
	last    map[any]any
	size    any
}

// fluentd takes messages, and acknowledges those that it is to.
func fluentd(t *testing.T, acknowledge func(n int) bool) (address string, got func() []forwarded) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var all []forwarded
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			decoder := codec.NewDecoder(conn, msgpack)
			for {
				var message []any
				if decoder.Decode(&message) != nil {
					break
				}
				options := message[2].(map[any]any)
				one := forwarded{tag: fmt.Sprint(message[0]), size: options["size"]}
				packed, isText := message[1].(string)
				if !isText {
					packed = string(message[1].([]byte))
				}
				entries := codec.NewDecoder(strings.NewReader(packed), msgpack)
				for {
					var entry []any
					if entries.Decode(&entry) != nil {
						break
					}
					at := entry[0].(codec.RawExt)
					one.last = entry[1].(map[any]any)
					one.entries = append(one.entries, fmt.Sprintf("%d:%x %v", at.Tag, at.Data, entry[1].(map[any]any)["log"]))
				}
				mu.Lock()
				all = append(all, one)
				n := len(all)
				mu.Unlock()
				if !acknowledge(n) {
					break
				}
				if codec.NewEncoder(conn, msgpack).Encode(map[string]any{"ack": options["chunk"]}) != nil {
					break
				}
			}
			conn.Close()
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return listener.Addr().String(), func() []forwarded {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(all)
	}
}

func TestForwardedRecordsAreAcknowledged(t *testing.T) {
	address, got := fluentd(t, func(n int) bool { return n != 2 })
	f := Forward{Address: address, Dial: new(net.Dialer).DialContext}
	records := recordsOf("a", "b")
	other := recordsOf("c")[0]
	other.Tag = "other"
	if err := f.Send(t.Context(), append(records, other)); err == nil || !strings.Contains(err.Error(), "acknowledgement") {
		t.Errorf("without an acknowledgement: %v", err)
	}
	if err := f.Send(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	all := got()
	if len(all) != 3 || all[0].tag != "application.web" || all[1].tag != "other" || fmt.Sprint(all[0].size) != "2" {
		t.Fatalf("%+v", all)
	}
	if want := []string{"0:6b0cbc7f00000000 a", "0:6b0cbc8000000000 b"}; !slices.Equal(all[0].entries, want) {
		t.Errorf("got %q, want %q", all[0].entries, want)
	}
}

func TestAcknowledgedTagsAreNotForwardedAgain(t *testing.T) {
	address, got := fluentd(t, func(n int) bool { return n != 3 })
	var records []Record
	for i := range 5 {
		one := recordsOf("x")[0]
		one.Tag = fmt.Sprint("tag", i)
		records = append(records, one)
	}
	r := &Router{Node: "n1", Output: Forward{Address: address, Dial: new(net.Dialer).DialContext}, Retry: time.Millisecond,
		Logger: slog.New(slog.DiscardHandler)}
	if err := r.send(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, one := range got() {
		tags = append(tags, one.tag)
	}
	if want := []string{"tag0", "tag1", "tag2", "tag2", "tag3", "tag4"}; !slices.Equal(tags, want) || r.Counts.Sent.Load() != 5 ||
		r.Counts.Retried.Load() != 3 {
		t.Errorf("forwarded %q, sent %d, retried %d", tags, r.Counts.Sent.Load(), r.Counts.Retried.Load())
	}
}

func TestEachForwardedMessageHasItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		var serving sync.WaitGroup
		serving.Go(func() {
			decoder := codec.NewDecoder(there, msgpack)
			for {
				var message []any
				if decoder.Decode(&message) != nil {
					return
				}
				time.Sleep(forwardTimeout - time.Second)
				codec.NewEncoder(there, msgpack).Encode(map[string]any{"ack": message[2].(map[any]any)["chunk"]})
			}
		})
		records := append(recordsOf("a"), recordsOf("b")...)
		records[1].Tag = "other"
		f := Forward{Dial: func(context.Context, string, string) (net.Conn, error) { return here, nil }}
		if err := f.Send(t.Context(), records); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
}

func TestForwardedNumbersStayWhole(t *testing.T) {
	address, got := fluentd(t, func(int) bool { return true })
	f := Forward{Address: address, Dial: new(net.Dialer).DialContext}
	if err := f.Send(t.Context(), recordsOf(`{"id":9007199254740993,"half":[0.5],"huge":1e999}`)); err != nil {
		t.Fatal(err)
	}
	if processed := fmt.Sprint(got()[0].last["log_processed"]); processed != "map[half:[0.5] huge:1e999 id:9007199254740993]" {
		t.Error(processed)
	}
}
