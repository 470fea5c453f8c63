package history_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"tripod/awsapi/history"
)

// needle is the secret that must be found nowhere.
const needle = "n33dle-n33dle"

func TestSecretsAreHidden(t *testing.T) {
	path := filepath.Join(t.TempDir(), history.FileName)
	log := open(t, history.Config{Path: path})
	var secrets []map[string]any
	for _, name := range []string{
		"sessionToken", "SessionToken", "secretAccessKey", "SecretAccessKey", "WebIdentityToken", "SAMLAssertion",
		"Password", "NewPassword", "oldPassword",
		"MasterUserPassword", "activationCode", "bootstrapToken", "bootstrap-token", "userData", "UserData",
		"LaunchTemplateData.UserData", "UserData.Value", "TokenCode", "PrivateKey",
		"X-Amz-Signature", "X-Amz-Security-Token", "Authorization", "clientSecret", "secrets", "TradeInToken", "Plaintext",
		"logEvents", "logEventMessages",
	} {
		secrets = append(secrets, map[string]any{name: needle},
			map[string]any{"a": []any{map[string]any{name: []any{needle}}}},
			map[string]any{"b": map[string]any{name: map[string]any{"value": needle}}})
	}
	jwt := "eyJhbGciOiJub25lIn0." + needle + "." + needle
	for _, text := range []string{jwt, "k8s-aws-v1." + needle,
		"https://sts.amazonaws.com/?X-Amz-Signature=" + needle + "&x=1", "X-Amz-Security-Token%3D" + needle,
		"-----BEGIN EC PRIVATE KEY-----\n" + needle} {
		secrets = append(secrets, map[string]any{"text": "before " + text}, map[string]any{before(text): 1})
		log.Append(history.Record{ErrorMessage: text, UserAgent: text})
	}
	secrets = append(secrets, map[string]any{"environment": []any{map[string]any{"name": "DB_PASSWORD", "value": needle}}},
		map[string]any{"Parameters.member.2.ParameterKey": "DBPassword", "Parameters.member.2.ParameterValue": needle},
		map[string]any{"Attribute": "userData", "Value": needle},
		map[string]any{"Parameters": []any{map[string]any{"ParameterKey": "x", "Key": "Secret", "ParameterValue": needle}}})
	for _, secret := range secrets {
		log.Append(history.Record{RequestParameters: history.Redact(secret),
			ResponseElements: history.Redact(map[string]any{"credentials": secret})})
	}
	log.Append(history.Record{ResponseElements: history.Answer("", "", "text/xml",
		[]byte("<AResponse><AResult><Credentials><SessionToken>"+needle+"</SessionToken></Credentials></AResult></AResponse>"))})
	for _, one := range []struct{ service, operation, member string }{
		{"sqs", "SendMessageBatch", "Entries"}, {"events", "PutEvents", "Entries"}, {"events", "TestEventPattern", "Event"},
		{"ssm", "PutParameter", "Value"},
	} {
		params := map[string]any{one.member: []any{map[string]any{"Detail": needle}}}
		history.HideMembers(one.service, one.operation, params)
		log.Append(history.Record{RequestParameters: history.Redact(params)})
	}
	log.Append(history.Record{ResponseElements: history.Answer("sqs", "ReceiveMessage", "application/x-amz-json-1.0",
		[]byte(`{"Messages":[{"Body":"`+needle+`"}]}`))})
	log.Close()
	if text := read(t, path); strings.Contains(text, needle) || !strings.Contains(text, history.Hidden) {
		for line := range strings.Lines(text) {
			if strings.Contains(line, needle) {
				t.Errorf("a secret is told: %s", line)
			}
		}
	}
}

func before(text string) string { return "name " + text }

func TestWhatIsNoSecretIsShown(t *testing.T) {
	for _, name := range []string{"name", "clientRequestToken", "nextToken", "RoleArn", "publicAccessCidrs", "version",
		"key", "tokenExpiration", "keyArn", "SecretRotation"} {
		if text := history.Redact(map[string]any{name: "plain"}); !strings.Contains(string(text), "plain") {
			t.Errorf("%s is hidden", name)
		}
	}
}

func TestParametersAreBounded(t *testing.T) {
	many := map[string]any{"name": "demo", "long": strings.Repeat("x", 5000), "list": []any{}}
	for i := range 3000 {
		many["list"] = append(many["list"].([]any), i)
		many[strings.Repeat("n", i)] = i
	}
	deep := any("end")
	for range 5000 {
		deep = map[string]any{"d": deep}
	}
	for _, value := range []map[string]any{many, {"deep": deep}, {strings.Repeat("\x01", 9000): 1},
		{"x": strings.Repeat("\x01", 1<<20)}} {
		text := history.Redact(value)
		if len(text) > 8<<10 || !json.Valid(text) {
			t.Errorf("got %d bytes: %.200s", len(text), text)
		}
	}
	text := string(history.Redact(map[string]any{"name": "demo", "long": many["list"]}))
	if text != `{"name":"demo","omitted":["long"]}` {
		t.Errorf("got %.300s", text)
	}
	if history.Redact(nil) != nil {
		t.Error("no parameters are not null")
	}
}

func TestControlCharactersAreEscaped(t *testing.T) {
	path := filepath.Join(t.TempDir(), history.FileName)
	log := open(t, history.Config{Path: path})
	const evil = "\x1b[2J\r\n\x00\x7f\u009b\u202e\u2028\u061c\xff"
	log.Append(history.Record{EventName: evil, UserAgent: evil,
		RequestParameters: history.Redact(map[string]any{evil: evil})})
	log.Close()
	text := read(t, path)
	if strings.ContainsAny(strings.TrimSuffix(text, "\n"), "\x1b\r\n\x00\x7f\u009b\u202e\u2028\u061c") {
		t.Errorf("got %q", text)
	}
	if got := records(t, path)[0].EventName; got != strings.ToValidUTF8(evil, "\ufffd") {
		t.Errorf("got %q back", got)
	}
}

func TestReadsAreToldFromWrites(t *testing.T) {
	for name, want := range map[string]bool{"DescribeCluster": true, "ListTagsForResource": true,
		"GetCallerIdentity": true, "AssumeRoleWithWebIdentity": true,
		"CreateCluster": false, "TagResource": false, "Listen": false, "": false, "UpdateAddon": false,
		"StartInsightsRefresh": false} {
		if got := history.ReadOnly(name); got != want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add([]byte(`{"password":"x","a":[1,{"userData":{}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var value map[string]any
		if json.Unmarshal(data, &value) != nil {
			return
		}
		if text := history.Redact(value); len(text) > 8<<10 || text != nil && !json.Valid(text) {
			t.Errorf("got %d bytes: %.200s", len(text), text)
		}
	})
}

func TestAnswersOfXMLAreObjects(t *testing.T) {
	for body, want := range map[string]string{
		"<AResponse xmlns='x'><AResult><U><N>1</N></U><U><N>2</N></U></AResult><ResponseMetadata><RequestId>x</RequestId></ResponseMetadata></AResponse>": `{"U":[{"N":"1"},{"N":"2"}]}`,
		"<AResponse><requestId>x</requestId><return>true</return></AResponse>":                                                                            `{"return":"true"}`,
		"<AResponse><half": `null`, "": `null`, "<a/>": `null`, "<AResponse><AResult/></AResponse>": `{"AResult":""}`,
	} {
		got, err := json.Marshal(history.Answer("", "", "text/xml", []byte(body)))
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	history.Answer("", "", "text/xml", []byte(strings.Repeat("<a>", 1<<16)))
}
