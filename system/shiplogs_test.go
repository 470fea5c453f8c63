package system

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// heard is what a server was sent, by method and path.
type heard struct {
	mu     sync.Mutex
	bodies map[string]string
}

func (h *heard) serve(t *testing.T, answer string) (url string) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, ".gz") {
			if unpacked, err := gzip.NewReader(strings.NewReader(string(body))); err == nil {
				body, _ = io.ReadAll(unpacked)
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.bodies == nil {
			h.bodies = map[string]string{}
		}
		h.bodies[r.Method+" "+r.URL.Path] += string(body)
		io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// says waits until something with that text was sent with that method, to a path that begins so.
func (h *heard) says(t *testing.T, call, text string) {
	t.Helper()
	eventually(t, 2*time.Minute, call+" with "+text, func() (bool, string) {
		h.mu.Lock()
		defer h.mu.Unlock()
		state := ""
		for to, body := range h.bodies {
			if strings.HasPrefix(to, call) && strings.Contains(body, text) {
				return true, ""
			}
			state += fmt.Sprintf("%s: %.300s\n", to, body)
		}
		return false, state
	})
}

// TestLogsGoWhereTheOperatorSays is a story of a node's log routers: what a pod says comes to an Elasticsearch, to a Loki, and to the S3
// behind the region by the role of the node, once that has the permission.
func TestLogsGoWhereTheOperatorSays(t *testing.T) {
	t.Parallel()
	var elasticsearch, loki, s3 heard
	r := bringUp(t, newDir(t), "--ship-logs", "elasticsearch:"+elasticsearch.serve(t, `{"errors":false}`), "--ship-logs",
		"loki:"+loki.serve(t, ""), "--ship-logs", "s3:logs/shop", "--upstream", s3.serve(t, ""))
	calls, kube := r.awsClients(t, awsHTTP), r.kube(t)
	serviceAccount(t, kube, "default")
	p := pod("web")
	p.Annotations = map[string]string{"tripod.internal/logs": "hello"}
	_, err := kube.CoreV1().Pods("default").Create(within(t, time.Minute), p, metav1.CreateOptions{})
	must(t, "create the pod", err)
	elasticsearch.says(t, "PUT /_index_template/logstash", `"logstash-*"`)
	elasticsearch.says(t, "POST /_bulk", `"log":"hello"`)
	loki.says(t, "POST /loki/api/v1/push", `"hello"`)
	eventually(t, 2*time.Minute, "S3 is denied to the node's role", func() (bool, string) {
		logs, _ := filepath.Glob(filepath.Join(r.dir, "zones", "*", "logs", "az.log"))
		out := ""
		for _, log := range logs {
			text, _ := os.ReadFile(log)
			out += string(text)
		}
		return strings.Contains(out, "AccessDenied") && strings.Contains(out, "into the bucket logs"), out[max(0, len(out)-2000):]
	})
	_, err = calls.iam.PutRolePolicy(within(t, time.Minute), &iam.PutRolePolicyInput{RoleName: aws.String("demo-node"),
		PolicyName: aws.String("logs"), PolicyDocument: aws.String(
			`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`)})
	must(t, "PutRolePolicy", err)
	s3.says(t, "PUT /logs/shop/ip-", `"log":"hello"`)
}
