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

// forwardTimeout is how long it may take to connect, and a message until it is acknowledged.
const forwardTimeout = 30 * time.Second

var msgpack = func() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true}
	h.RawToString = true
	return h
}()

// Send is Output's. After a failure the records of tags that were acknowledged are not sent again.
func (f Forward) Send(ctx context.Context, records []Record) error {
	dialing, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	conn, err := f.Dial(dialing, "tcp", f.Address)
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
	for i, tag := range tags {
		conn.SetDeadline(time.Now().Add(forwardTimeout))
		err := ctx.Err() // from here on its end sets the deadline
		if err == nil {
			err = forward(conn, answers, tag, byTag[tag])
		}
		if err == nil {
			continue
		}
		err = fmt.Errorf("forward to %s: %w", f.Address, err)
		if i == 0 {
			return err
		}
		rest := &Left{Err: err}
		for _, tag := range tags[i:] {
			rest.Records = append(rest.Records, byTag[tag]...)
		}
		return rest
	}
	return nil
}

// forward sends the records of a tag, and waits until they are acknowledged.
func forward(conn io.Writer, answers *codec.Decoder, tag string, records []Record) error {
	var entries []byte
	encoder := codec.NewEncoderBytes(&entries, msgpack)
	var packed bytes.Buffer
	for _, r := range records {
		fields, err := r.fields()
		if err != nil {
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

// fields are the record's, with numbers that are whole as such.
func (r Record) fields() (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(r.JSON()))
	decoder.UseNumber()
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil {
		return nil, err
	}
	numbers(fields)
	return fields, nil
}

// numbers has a value's numbers as MessagePack has them: as an integer of 64 bits, a float, or the digits as a text.
func numbers(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, one := range value {
			value[name] = numbers(one)
		}
	case []any:
		for i, one := range value {
			value[i] = numbers(one)
		}
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		if float, err := value.Float64(); err == nil {
			return float
		}
		return value.String()
	}
	return value
}

// eventTime is the protocol's EventTime: an extension of type 0 with seconds and nanoseconds.
func eventTime(t time.Time) codec.RawExt {
	data := binary.BigEndian.AppendUint32(nil, uint32(t.Unix()))
	return codec.RawExt{Tag: 0, Data: binary.BigEndian.AppendUint32(data, uint32(t.Nanosecond()))}
}
