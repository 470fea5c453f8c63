package wire

import (
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

var rpcTypes = Types{Integers: []string{"Period"}, Floats: []string{"Threshold"}, Booleans: []string{"Enabled"}}

// TestInputsAreTheSameInEveryProtocol, whichever a client speaks.
func TestInputsAreTheSameInEveryProtocol(t *testing.T) {
	want := Document{"Name": "n", "Period": 60.0, "Threshold": 0.5, "Enabled": true, "List": []any{"a", "b"},
		"Pairs": []any{Document{"Name": "k", "Value": "10"}}}
	params, err := url.ParseQuery("Action=Put&Version=1&Name=n&Period=60&Threshold=0.5&Enabled=true&List.member.2=b&List.member.1=a&" +
		"Pairs.member.1.Name=k&Pairs.member.1.Value=10")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		protocol Protocol
		params   url.Values
		body     string
	}{
		"query": {Query, params, ""},
		"json": {AWSJSON, nil, `{"Name":"n","Period":60,"Threshold":0.5,"Enabled":true,"List":["a","b"],"Pairs":[{"Name":"k",` +
			`"Value":"10"}]}`},
		"cbor": {CBOR, nil, string(cbor.Encode(cbor.Map{"Name": cbor.String("n"), "Period": cbor.Uint(60), "Threshold": cbor.Float64(0.5),
			"Enabled": cbor.Bool(true), "List": cbor.List{cbor.String("a"), cbor.String("b")},
			"Pairs": cbor.List{cbor.Map{"Name": cbor.String("k"), "Value": cbor.String("10")}}}))},
	} {
		got, err := DecodeRPC(c.protocol, rpcTypes, c.params, []byte(c.body))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v", name, got, err)
		}
	}
	for _, broken := range []Protocol{AWSJSON, CBOR} {
		if _, err := DecodeRPC(broken, rpcTypes, nil, []byte("\xff[")); err == nil {
			t.Errorf("protocol %d takes what is broken", broken)
		}
	}
}

// TestOutputsAreWhatEachProtocolHas: numbers, times and lists differ.
func TestOutputsAreWhatEachProtocolHas(t *testing.T) {
	out := Document{"Period": 60.0, "At": time.UnixMilli(1500), "List": []any{Document{"Name": "a"}}, "Empty": []any{},
		"Map": Map{"p99": 0.5}}
	write := func(p Protocol) string {
		w := httptest.NewRecorder()
		WriteRPC(w, httptest.NewRequest("POST", "/", nil), p, rpcTypes, "Get", "id", "urn:x", out)
		return w.Body.String()
	}
	if got, want := write(AWSJSON), `{"At":1.5,"Empty":[],"List":[{"Name":"a"}],"Map":{"p99":0.5},"Period":60}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := strings.Join(strings.Fields(write(Query)), ""); !strings.Contains(got, "<GetResult><At>1970-01-01T00:00:01.500Z</At>"+
		"<Empty></Empty><List><member><Name>a</Name></member></List>"+
		"<Map><entry><key>p99</key><value>0.5</value></entry></Map><Period>60</Period></GetResult>") {
		t.Errorf("got %s", got)
	}
	value, err := cbor.Decode([]byte(write(CBOR)))
	document, ok := value.(cbor.Map)
	if err != nil || !ok || document["Period"] != cbor.Uint(60) {
		t.Fatalf("got %v, %v", value, err)
	}
	if at, err := cbor.AsTime(document["At"]); err != nil || at.UnixMilli() != 1500 {
		t.Errorf("got %v, %v", at, err)
	}
}
