package api

import (
	"strings"
	"testing"
	"time"
)

func TestOrdersOfLinksThatMakeNoSenseGetOneSentence(t *testing.T) {
	for _, c := range []struct {
		verb, link string
		fault      LinkFault
		want       string // a part of the sentence; empty: the order is well
	}{
		{"partition", "a-b", LinkFault{}, ""},
		{"partition", "a-*", LinkFault{OneWay: true, Reject: true, Share: 30, Flap: time.Second, For: time.Minute}, ""},
		{"slow", "a-clients", LinkFault{Latency: time.Second, Jitter: time.Second, Loss: 1, Bandwidth: 8000}, ""},
		{"heal", "a-b", LinkFault{OneWay: true}, ""},
		{"cut", "a-b", LinkFault{}, `there is no verb "cut" for a link: use partition, slow or heal`},
		{"partition", "a", LinkFault{}, `"link/a" is no link: write link/a-b, link/a-clients or link/a-all`},
		{"partition", "a-b", LinkFault{Latency: 1}, "partition takes no --latency: that is for slow"},
		{"slow", "a-b", LinkFault{Latency: 1, Reject: true}, "slow takes no --reject: that is for partition"},
		{"heal", "a-b", LinkFault{For: 1}, "heal takes no --for: that is for partition or slow"},
		{"slow", "a-b", LinkFault{}, "say how the link is slow"},
		{"slow", "a-b", LinkFault{Latency: time.Hour}, "between 0 and 1m0s"},
		{"slow", "a-b", LinkFault{Latency: 1, Jitter: 2}, "nothing arrives before it is sent"},
		{"slow", "a-b", LinkFault{Loss: 101}, "--loss 101 is no percentage"},
		{"slow", "a-b", LinkFault{Bandwidth: 10}, "--bandwidth 10 is too little"},
		{"partition", "a-b", LinkFault{Share: -1}, "--share -1 is no percentage"},
		{"partition", "a-b", LinkFault{Flap: time.Millisecond}, "--flap 1ms is too short"},
		{"partition", "a-b", LinkFault{For: -1}, "is no time that passes"},
	} {
		err := LinkOrder{Verb: c.verb, Link: c.link, LinkFault: c.fault}.Check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s %+v: %v, want %q", c.verb, c.link, c.fault, err, c.want)
		}
	}
}

func TestBandwidthsAreRead(t *testing.T) {
	for text, want := range map[string]int64{"10M": 10e6, "10m": 10e6, "500k": 500e3, "500Kbit": 500e3, "1.5G": 15e8, "1Gbps": 1e9,
		"64000": 64000} {
		got, err := ParseBandwidth(text)
		if err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
		if again, err := ParseBandwidth(FormatBandwidth(got)); again != want || err != nil {
			t.Errorf("%s is written as %s", text, FormatBandwidth(got))
		}
	}
	for _, text := range []string{"", "fast", "-1M", "10MB", "1e99G", "NaN"} {
		if got, err := ParseBandwidth(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
