package podexec

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"tripod/pods/podidentity"
)

// given are what a command gets and is told of a pod with these variables.
func given(t *testing.T, env []string, noMounts bool, variables ...corev1.EnvVar) (got []string, told string) {
	t.Helper()
	p := newPod(t, func(o *corev1.Pod) { o.Spec.Containers[0].Env = variables })
	var stderr strings.Builder
	p.options = Options{Env: env, NoMounts: noMounts, Stderr: &stderr, Environ: []string{"PATH=/bin"}}
	got, err := p.environ(t.Context(), "http://127.0.0.1:1/v1/credentials")
	if err != nil {
		t.Fatal(err)
	}
	return got, stderr.String()
}

func TestVariablesThatChangeWhatRunsAreWithheldAndNamed(t *testing.T) {
	for _, name := range list(`LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT DYLD_INSERT_LIBRARIES GCONV_PATH GLIBC_TUNABLES BASH_ENV BASH_FUNC_ls%% ENV IFS SHELLOPTS PS4 PATH CDPATH HOME
		PROMPT_COMMAND ZDOTDIR PYTHONPATH PYTHONSTARTUP PYTHONHOME PIP_INDEX_URL PERL5LIB PERL5OPT RUBYOPT RUBYLIB GEM_PATH BUNDLE_GEMFILE NODE_OPTIONS NODE_PATH
		NODE_EXTRA_CA_CERTS npm_config_node_options JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS JAVA_OPTS MAVEN_OPTS CLASSPATH DOTNET_STARTUP_HOOKS CORECLR_PROFILER GOFLAGS GOTOOLCHAIN
		CARGO_BUILD_RUSTC_WRAPPER RUSTC_WRAPPER RUSTFLAGS PHPRC PHP_INI_SCAN_DIR LUA_INIT LUA_PATH R_PROFILE GIT_SSH_COMMAND GIT_EXTERNAL_DIFF SSH_ASKPASS MAKEFLAGS CC
		EDITOR VISUAL KUBE_EDITOR PAGER AWS_PAGER MANPAGER BROWSER LESSOPEN TERMINFO TMPDIR XDG_CONFIG_HOME GTK_MODULES GTK_PATH QT_PLUGIN_PATH OPENSSL_CONF SSL_CERT_FILE CURL_HOME
		HTTPS_PROXY https_proxy all_proxy KUBECONFIG KUBECTL_EXTERNAL_DIFF HELM_PLUGINS TF_CLI_CONFIG_FILE DOCKER_HOST AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
		AWS_ENDPOINT_URL AWS_ENDPOINT_URL_STS AWS_CA_BUNDLE AWS_CONTAINER_CREDENTIALS_RELATIVE_URI AWS_PROFILE KUBERNETES_SERVICE_HOST KUBERNETES_PORT MYTOOL_PLUGIN_DIR NEWLANGPATH
		NEWLANG_OPTS NEWLANG_PRELOAD`) {
		got, told := given(t, nil, true, corev1.EnvVar{Name: name, Value: "evil"})
		if slices.Contains(got, name+"=evil") {
			t.Errorf("the command gets %s", name)
		}
		if !strings.Contains(told, ": "+name+" (") || strings.Count(told, "\n") != 1 {
			t.Errorf("%s is withheld, and told is %q", name, told)
		}
		if got, told = given(t, []string{"all"}, true, corev1.EnvVar{Name: name, Value: "evil"}); !slices.Contains(got,
			name+"=evil") || told != "" {
			t.Errorf("--env all withholds %s, or tells %q", name, told)
		}
		if got, told = given(t, []string{name}, true, corev1.EnvVar{Name: name, Value: "evil"}); !slices.Contains(got,
			name+"=evil") || told != "" {
			t.Errorf("--env %s withholds it, or tells %q", name, told)
		}
	}
}

func TestVariablesOfTheProgramsOwnAreTaken(t *testing.T) {
	for _, name := range list(`DATABASE_URL DB_HOST DB_PASSWORD DB_ENGINE REDIS_URL PORT LISTEN_ADDR LOG_LEVEL LEVEL MODE ALL NAME POD_NAME POD_NAMESPACE POD_IP NODE_NAME NODE_ENV NODE_IP
		HOST_IP MEMORY_LIMIT GOMAXPROCS GOMEMLIMIT GOGC RUST_LOG PYTHONUNBUFFERED TZ LANG LC_ALL HOSTNAME API_KEY SLACK_WEBHOOK_URL GITHUB_TOKEN OTEL_EXPORTER_OTLP_ENDPOINT DD_AGENT_HOST
		DISPLAY_NAME MANAGER_URL PROMPT_TEMPLATE SPRING_PROFILES_ACTIVE POSTGRES_USER PGHOST MYSQL_HOST KUBERNETES_NAMESPACE FEATURE_X log.format nul KEYS_key CLUSTER_NAME
		AWS_REGION AWS_ROLE_ARN AWS_ACCESS_KEY_ID USER_AGENT SOURCE_ARN LESSON`) {
		if got, told := given(t, nil, true, corev1.EnvVar{Name: name, Value: "good"}); !slices.Contains(got,
			name+"=good") || told != "" {
			t.Errorf("the command does not get %s: %s", name, told)
		}
	}
}

func TestIdentityLeadsToThePodsOwnFilesAlone(t *testing.T) {
	for _, noMounts := range []bool{false, true} {
		for name, values := range map[string][]string{
			"AWS_WEB_IDENTITY_TOKEN_FILE": {"/home/u/.ssh/id_rsa", "/var/run/secrets/../../home/u/.ssh/id_rsa",
				"/var/run/secrets", "relative", "/var/run/secrets/a//b/../../../x"},
			podidentity.TokenFileEnv:      {"/home/u/.aws/credentials", "/var/run/secrets/../../x"},
			podidentity.CredentialsURIEnv: {"http://evil.example.com/", "http://127.0.0.1:2/"},
		} {
			for _, value := range values {
				got, told := given(t, []string{"none"}, noMounts, corev1.EnvVar{Name: name, Value: value})
				for _, entry := range got {
					if strings.HasPrefix(entry, name+"=") {
						t.Errorf("%s, without mounts %t: the command gets %s", value, noMounts, entry)
					}
				}
				if told != "" {
					t.Errorf("--env none tells %q", told)
				}
			}
		}
		good := "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
		got, told := given(t, []string{"none"}, noMounts, corev1.EnvVar{Name: "AWS_WEB_IDENTITY_TOKEN_FILE", Value: good},
			corev1.EnvVar{Name: "MODE", Value: "loud"})
		if i := slices.IndexFunc(got,
			func(entry string) bool { return strings.HasPrefix(entry, "AWS_WEB_IDENTITY_TOKEN_FILE=") }); i < 0 ||
			!strings.HasSuffix(got[i], strings.TrimPrefix(good, "/var/run")) {
			t.Errorf("the command does not get its token's file: %q %s", got, told)
		}
		if slices.Contains(got, "MODE=loud") {
			t.Error("--env none takes MODE")
		}
	}
}

func TestWithheldVariablesAreNamedInOneShortLine(t *testing.T) {
	var variables []corev1.EnvVar
	for i := range 30 {
		variables = append(variables, corev1.EnvVar{Name: fmt.Sprintf("LD_%02d", i), Value: "x"})
	}
	variables = append(variables, corev1.EnvVar{Name: "A \x1b[2J", Value: "x"},
		corev1.EnvVar{Name: "APP_PATH", Value: "x"}, corev1.EnvVar{Name: "APP_OPTIONS", Value: "x"})
	_, told := given(t, []string{"APP_*"}, true, variables...)
	if strings.Count(told, "\n") != 1 || strings.Contains(told, "\x1b") || strings.Contains(told, "APP_") ||
		!strings.Contains(told, `"A \x1b[2J", LD_00, `) || !strings.Contains(told, "and 11 more") {
		t.Errorf("got %q", told)
	}
}
