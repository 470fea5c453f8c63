package launch

import (
	"errors"
	"testing"
)

func TestClientsReadNoInnerAddress(t *testing.T) {
	const sentence = "the access policies cannot be asked: try again"
	for _, text := range []string{
		`Post "http://authenticator.0123456789abcdef0123456789abcdef.tripod.internal/authorize?timeout=3s": context ` +
			`deadline exceeded`,
		"proxy error from /tmp/tripod-0/ab/a/gateway.sock while dialing " +
			"etcd-a.0123456789abcdef0123456789abcdef.tripod.internal:2379, code 502: 502 x is unreachable",
		"dial unix /run/user/1000/tripod/ab/a/gateway.sock: connect: connection refused",
		`[clusterrole.rbac.authorization.k8s.io "x" not found, Post ` +
			`"http://authenticator.0123456789abcdef0123456789abcdef.tripod.internal/authorize": EOF]`,
	} {
		if told, hidden := Outward(errors.New(text), sentence); !hidden || told.Error() != sentence {
			t.Errorf("%s: got %v", text, told)
		}
	}
	own := errors.New(`clusterrole.rbac.authorization.k8s.io "x.sockets" not found`)
	if told, hidden := Outward(own, sentence); hidden || told != own {
		t.Errorf("got %v", told)
	}
	if told, hidden := Outward(nil, sentence); hidden || told != nil {
		t.Errorf("got %v", told)
	}
}
