package logrouter

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// Forward sends records by Fluentd's forward protocol, version 1 (specification of Fluent's): a PackedForward message for each tag,
// which the other side acknowledges by its chunk's name. Shared keys are not spoken.
type Forward struct {
	Address string // host and port
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
}

// forwardTimeout is how long a message may take until it is acknowledged.
const forwardTimeout = 30 * time.Second

var msgpack = func() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.RawToString = true
	return h
}()

// Send is Output's.
func (f Forward) Send(ctx context.Context, records []Record) error {
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	conn, err := f.Dial(ctx, "tcp", f.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	answers := codec.NewDecoder(io.LimitReader(conn, mostAnswer), msgpack)
	var tags []string
	byTag := map[string][]Record{}
	for _, r := range records {
		if byTag[r.Tag] == nil {
			tags = append(tags, r.Tag)
		}
		byTag[r.Tag] = append(byTag[r.Tag], r)
	}
	for _, tag := range tags {
		if err := forward(conn, answers, tag, byTag[tag]); err != nil {
			return fmt.Errorf("forward to %s: %w", f.Address, err)
		}
	}
	return nil
}

// forward sends the records of a tag, and waits until they are acknowledged.
func forward(conn io.Writer, answers *codec.Decoder, tag string, records []Record) error {
	var entries []byte
	encoder := codec.NewEncoderBytes(&entries, msgpack)
	var packed bytes.Buffer
	for _, r := range records {
		fields := map[string]any{}
		if err := json.Unmarshal(r.JSON(), &fields); err != nil {
			return err
		}
		encoder.ResetBytes(&entries)
		if err := encoder.Encode([]any{eventTime(r.At), fields}); err != nil {
			return err
		}
		packed.Write(entries)
	}
	chunk := base64.StdEncoding.EncodeToString([]byte(rand.Text()[:16]))
	var message []byte
	if err := codec.NewEncoderBytes(&message, msgpack).Encode([]any{tag, packed.Bytes(), map[string]any{"chunk": chunk,
		"size": len(records)}}); err != nil {
		return err
	}
	if _, err := conn.Write(message); err != nil {
		return err
	}
	var answer map[string]any
	if err := answers.Decode(&answer); err != nil {
		return fmt.Errorf("wait for the acknowledgement: %w", err)
	}
	if ack := fmt.Sprint(answer["ack"]); ack != chunk {
		return fmt.Errorf("acknowledged is the chunk %q, sent was %q", ack, chunk)
	}
	return nil
}

// eventTime is the protocol's EventTime: an extension of type 0 with seconds and nanoseconds.
func eventTime(t time.Time) codec.RawExt {
	data := binary.BigEndian.AppendUint32(nil, uint32(t.Unix()))
	return codec.RawExt{Tag: 0, Data: binary.BigEndian.AppendUint32(data, uint32(t.Nanosecond()))}
}
