#!/usr/bin/env bash
# From an AWS account to the page and the API on one https address, and back. `./deploy.sh help` lists the commands.
# Each step can be repeated: it keeps what exists and creates what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

CONFIG=deploy-config.env
SETTINGS=(NAME AWS_REGION ACCOUNT_ID PROFILE ARCHITECTURE DETECTOR_URI CLASSIFIER_URI IMAGE S3_BUCKET_UI S3_UI_PREFIX CLOUDFRONT_ID)
NAMESPACE=gender-presentation
DEFINITIONS=https://github.com/ray-project/kuberay/ray-operator/config/crd # of KubeRay's kinds; a version is added
READY=last-ready # annotation of the RayService: the settings of its last ready version
SERVICE=gender-presentation # the RayService
BUILD=build/deploy # plus a folder for each deployment

# Tools; the environment may name others.
: "${AWS:=aws}" "${TERRAFORM:=terraform}" "${KUBECTL:=kubectl}" "${CONTAINER_TOOL:=docker}" "${NPM:=npm}" "${PYTHON:=python3}"
: "${READY_TIMEOUT:=1800}" # seconds, for the service: nodes, images and models take time
: "${AWAKE_TIMEOUT:=1200}" # seconds; with profile lean, the first photo waits for a machine

step=
initialised= # Terraform's roots
say() { printf '%s\n' "$*" >&2; }
fail() {
  say "error: $*"
  exit 1
}
begin() {
  step=$1
  say "--- $1"
}
stopped() {
  local status=$?
  rm -f "$BUILD/secret" "$BUILD/user"
  if ((status != 0)) && [[ -n $step ]]; then
    say "Stopped while $step. Finished steps are kept; the same command resumes there."
  fi
}
trap stopped EXIT

help() {
  cat << HELP
usage: ./deploy.sh COMMAND

  deploy          all steps: infrastructure, build, the service, deploy-ui, a smoke test of the public address
  build           builds and pushes the image (unless this commit's exists)
  plan            shows the changes of infrastructure, and keeps the plan for apply
  apply           applies the last plan
  infrastructure  applies Terraform: bootstrap, aws, platform
  outputs         Terraform's outputs, as JSON
  build-ui        builds the page
  deploy-ui       builds and uploads the page, and invalidates CloudFront's cache
  serve-ui        serves the page on this machine, against SERVICE_URL (http://localhost:8000)
  status          the state of the service
  logs            follows the service's log
  pause, resume   deletes the pods, and so the machines; starts them again
  tune MANIFEST RUN_DIR [NAME=VALUE ...]
                  searches hyperparameters; both are s3:// addresses, the rest settings of the search (TRIALS=20, or OPTIONS='--minutes 60')
  destroy         deletes everything, data too; asks first

Settings: $CONFIG.example. Environment variables override the file. A change that deletes something asks first.
READY_TIMEOUT=$READY_TIMEOUT (seconds) is how long a service may take to become ready, AWAKE_TIMEOUT=$AWAKE_TIMEOUT its sleeping models to answer.
HELP
}

# --- common functions ------------------------------------------------------------------------------------------------------------------

load_config() {
  local line name value given=' '
  for name in "${SETTINGS[@]}"; do
    if [[ -n ${!name+set} ]]; then given+="$name "; else printf -v "$name" '%s' ''; fi
  done
  if [[ -e $CONFIG ]]; then
    while IFS= read -r line || [[ -n $line ]]; do
      line=${line%$'\r'}
      [[ $line =~ ^[[:space:]]*(#|$) ]] && continue
      name=${line%%=*} value=${line#*=}
      [[ $line == *=* && " ${SETTINGS[*]} " == *" $name "* ]] || fail "$CONFIG: there is no setting in \"$line\""
      [[ $value != *[\"\'\ ]* ]] || fail "$CONFIG: values have no quotes and no spaces: $line"
      [[ $given == *" $name "* ]] || printf -v "$name" '%s' "$value"
    done < "$CONFIG"
  fi
  : "${NAME:=gender-presentation}" "${AWS_REGION:=us-east-1}" "${PROFILE:=lean}" "${ARCHITECTURE:=amd64}"
  [[ $PROFILE =~ ^(lean|ha|gpu)$ ]] || fail "PROFILE is lean, ha or gpu, not $PROFILE"
  [[ $ARCHITECTURE =~ ^(amd64|arm64)$ ]] || fail "ARCHITECTURE is amd64 or arm64, not $ARCHITECTURE"
  [[ $PROFILE != gpu || $ARCHITECTURE == amd64 ]] ||
    fail "PROFILE=gpu needs ARCHITECTURE=amd64: machines with these GPUs have x86 processors, and one image serves head and workers"
  [[ $NAME =~ ^[a-z][a-z0-9-]{1,18}[a-z0-9]$ ]] || fail "NAME has 3 to 20 lower-case letters, digits and hyphens, a letter first: $NAME"
  export AWS_REGION AWS_DEFAULT_REGION=$AWS_REGION AWS_PAGER=''
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" > /dev/null || fail "$tool is not installed"
  done
}

# Finds the account and checks that it is the intended one.
account() {
  begin "checking your AWS identity"
  need "$AWS" "$PYTHON"
  local found
  found=$("$AWS" sts get-caller-identity --query Account --output text) || fail "no valid AWS credentials: run aws configure, or aws sso login"
  [[ -z $ACCOUNT_ID || $ACCOUNT_ID == "$found" ]] || fail "ACCOUNT_ID is $ACCOUNT_ID, and the credentials are of $found"
  ACCOUNT_ID=$found
  STATE_BUCKET=$NAME-$ACCOUNT_ID-$AWS_REGION-state
  BUILD+=/$NAME-$ACCOUNT_ID-$AWS_REGION
  # A workflow's checkout has no such file, because git ignores it, and without its settings what they have made would be deleted.
  [[ -z ${TFVARS_AWS:-} ]] || printf '%s\n' "$TFVARS_AWS" > terraform/aws/terraform.tfvars
  [[ -z ${TFVARS_PLATFORM:-} ]] || printf '%s\n' "$TFVARS_PLATFORM" > terraform/platform/terraform.tfvars
  # In Terraform, the file would override our variables.
  if grep -sE '^[[:space:]]*(name|account_id|region|profile|architecture)[[:space:]]*=' terraform/*/terraform.tfvars >&2; then
    fail "these belong into $CONFIG, as NAME, ACCOUNT_ID, AWS_REGION, PROFILE and ARCHITECTURE"
  fi
  export TF_VAR_name=$NAME TF_VAR_account_id=$ACCOUNT_ID TF_VAR_region=$AWS_REGION TF_VAR_profile=$PROFILE TF_VAR_architecture=$ARCHITECTURE
  export TF_IN_AUTOMATION=1 TF_INPUT=0
  say "$NAME, account $ACCOUNT_ID, $AWS_REGION, profile $PROFILE, $ARCHITECTURE"
  mkdir -p "$BUILD"
}

in_root() { # ROOT ARGUMENTS...
  "$TERRAFORM" -chdir="terraform/$1" "${@:2}"
}

init() { # ROOT
  [[ $initialised != *" $1 "* ]] || return 0
  need "$TERRAFORM"
  in_root "$1" init -reconfigure -backend-config="bucket=$STATE_BUCKET" -backend-config="region=$AWS_REGION" > "$BUILD/init.log" ||
    fail "terraform init of $1 failed: $BUILD/init.log"
  initialised+=" $1 "
}

# Lets the deployer's address reach Kubernetes' API, unless the addresses are configured.
default_api_access() {
  [[ -n ${TF_VAR_api_access_cidrs:-} ]] && return
  grep -qs '^api_access_cidrs' terraform/aws/terraform.tfvars && return
  local address
  address=$("$PYTHON" -m cloud own-address) ||
    fail "cannot find out your public address: set api_access_cidrs in terraform/aws/terraform.tfvars"
  say "Kubernetes' API will be reached from $address alone; api_access_cidrs in terraform/aws/terraform.tfvars says otherwise"
  export TF_VAR_api_access_cidrs="[\"$address/32\"]"
}

read_outputs() {
  [[ -s $BUILD/outputs.json && -n ${outputs_read:-} ]] && return
  init aws
  in_root aws output -json > "$BUILD/outputs.json"
  [[ -n $(output public_url) ]] || fail "there is no infrastructure yet: ./deploy.sh infrastructure"
  outputs_read=1
}

output() { # NAME
  "$PYTHON" -m cloud output "$BUILD/outputs.json" "$1"
}

state_exists() {
  "$AWS" s3api head-bucket --bucket "$STATE_BUCKET" > /dev/null 2> "$BUILD/state.log" && return
  grep -q '(404)' "$BUILD/state.log" || fail "cannot reach the bucket of the state: $(cat "$BUILD/state.log")"
  return 1
}

cluster_exists() {
  "$AWS" eks describe-cluster --name "$NAME" > /dev/null 2> "$BUILD/cluster.log" && return
  grep -q ResourceNotFound "$BUILD/cluster.log" || fail "cannot describe the cluster: $(cat "$BUILD/cluster.log")"
  return 1
}

connect() {
  need "$KUBECTL"
  export KUBECONFIG=$PWD/$BUILD/kubeconfig # leaves the user's own file and its current context unchanged
  "$AWS" eks update-kubeconfig --name "$NAME" --kubeconfig "$KUBECONFIG" > /dev/null
}

cluster_answers() {
  connect
  "$KUBECTL" get namespaces --request-timeout=20s > /dev/null 2> "$BUILD/api.log"
}

in_namespace() { "$KUBECTL" --namespace "$NAMESPACE" "$@"; }

# --- infrastructure --------------------------------------------------------------------------------------------------------------------

bootstrap() {
  begin "creating the bucket of the state"
  ! state_exists || return 0
  need "$TERRAFORM"
  init_bootstrap
  in_root bootstrap apply -auto-approve "$BOOTSTRAP_STATE"
  "$AWS" s3api wait bucket-exists --bucket "$STATE_BUCKET"
}

# The state of root bootstrap is a local file, one for each deployment, or a second deployment would replace the first.
init_bootstrap() {
  BOOTSTRAP_STATE=-state=$STATE_BUCKET.tfstate
  in_root bootstrap init > "$BUILD/init.log" || fail "terraform init of bootstrap failed: $BUILD/init.log"
}

# Before anything costs money: quotas, permissions, and whether CloudFront takes the account. Once there is a cluster, it has been asked.
preflight() {
  begin "asking the account for quotas and permissions"
  ! cluster_exists || return 0
  "$PYTHON" -m cloud preflight --profile "$PROFILE" --name "$NAME" --aws "$AWS" --probe "$BUILD/probe" >&2 ||
    fail "the account cannot take this deployment yet"
}

infrastructure() {
  preflight
  bootstrap
  default_api_access
  rm -f "$BUILD"/*.tfplan
  plan_root aws "creating the AWS resources (half an hour the first time: the cluster, and CloudFront's VPC origin)"
  apply_unless_it_deletes aws
  "$PYTHON" -m cloud forget-probe --aws "$AWS" --probe "$BUILD/probe"
  definitions
  plan_root platform "creating the contents of the cluster"
  apply_unless_it_deletes platform
}

# Helm installs a chart's definitions once, and never upgrades them.
definitions() {
  begin "applying KubeRay's definitions"
  connect
  init platform
  local version
  version=$(in_root platform console <<< var.kuberay_version) || fail "cannot read kuberay_version of root platform"
  "$KUBECTL" apply --server-side --force-conflicts --kustomize "$DEFINITIONS?ref=v${version//\"/}"
}

plan() {
  preflight
  bootstrap
  default_api_access
  rm -f "$BUILD"/*.tfplan
  plan_root aws "planning the AWS resources"
  if ! cluster_exists; then
    say "There is no cluster yet: its contents can be planned after ./deploy.sh apply"
  elif ! cluster_answers; then
    say "The cluster's contents are not planned: Kubernetes' API does not let you in ($BUILD/api.log), which applying the above may change"
  else
    plan_root platform "planning the contents of the cluster"
  fi
}

apply() {
  local root found=
  for root in aws platform; do
    [[ -e $BUILD/$root.tfplan ]] || continue
    found=1
    begin "applying the plan of $root"
    init "$root"
    apply_root "$root"
  done
  [[ -n $found ]] || fail "there is no plan with changes: ./deploy.sh plan"
}

plan_root() { # ROOT STEP
  begin "$2"
  init "$1"
  local status=0
  in_root "$1" plan -detailed-exitcode -out="$PWD/$BUILD/$1.tfplan" || status=$?
  # Exit status 0: no changes. 2: changes.
  case $status in
    0) rm "$BUILD/$1.tfplan" ;;
    2) ;;
    *) fail "terraform plan of $1 failed" ;;
  esac
}

# A plan that nobody has read may add and change, but not delete.
apply_unless_it_deletes() { # ROOT
  [[ -e $BUILD/$1.tfplan ]] || return 0
  in_root "$1" show -json "$PWD/$BUILD/$1.tfplan" > "$BUILD/$1.json"
  "$PYTHON" -m cloud deleted "$BUILD/$1.json" > "$BUILD/deleted"
  rm "$BUILD/$1.json"
  if [[ -s $BUILD/deleted ]]; then
    say "These would be deleted or replaced:"
    cat "$BUILD/deleted" >&2
    confirm
  fi
  apply_root "$1"
}

confirm() {
  local answer
  read -r -p "Type $NAME to go on: " answer || true
  [[ $answer == "$NAME" ]] || fail "nothing was deleted"
}

apply_root() { # ROOT
  in_root "$1" apply "$PWD/$BUILD/$1.tfplan"
  rm "$BUILD/$1.tfplan"
}

outputs() {
  read_outputs
  cat "$BUILD/outputs.json"
}

# --- the image -------------------------------------------------------------------------------------------------------------------------

# Sets IMAGE, by digest. A tag names target, architecture and commit, or the minute of uncommitted work.
build() {
  [[ -z $IMAGE ]] || return 0
  begin "building the image"
  need git "$CONTAINER_TOOL"
  read_outputs
  local repository tag target=cpu
  repository=$(output image_repository_url)
  [[ $PROFILE != gpu ]] || target=gpu
  tag=$target-$ARCHITECTURE-$(git rev-parse --short=12 HEAD)
  [[ -z $(git status --porcelain -- . ':(exclude)terraform') ]] || tag+=-$(date -u +%Y%m%d%H%M%S)
  if ! pushed_digest "$repository" "$tag" > "$BUILD/digest"; then
    can_build
    "$CONTAINER_TOOL" build --platform "linux/$ARCHITECTURE" --target "$target" --tag "$repository:$tag" .
    "$AWS" ecr get-login-password | "$CONTAINER_TOOL" login --username AWS --password-stdin "${repository%%/*}"
    "$CONTAINER_TOOL" push "$repository:$tag"
    pushed_digest "$repository" "$tag" > "$BUILD/digest" || fail "the image was pushed, and $repository does not have $tag"
  fi
  IMAGE=$repository@$(cat "$BUILD/digest")
  say "$IMAGE"
}

# A build runs the models, to export them: under emulation that would take very long, and the checks of the export would mean nothing.
can_build() {
  local machine
  case $(uname -m) in
    x86_64 | amd64) machine=amd64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) machine=$(uname -m) ;;
  esac
  [[ $machine == "$ARCHITECTURE" ]] ||
    fail "this machine is $machine and cannot build for $ARCHITECTURE: build on one that is, or by the workflow, and name the image as IMAGE"
}

pushed_digest() { # REPOSITORY TAG
  "$AWS" ecr describe-images --repository-name "${1#*/}" --image-ids "imageTag=$2" --query 'imageDetails[0].imageDigest' --output text 2> /dev/null
}

# --- the service -----------------------------------------------------------------------------------------------------------------------

service() {
  begin "deploying the service"
  connect
  read_outputs
  local before settings=() name
  for name in DETECTOR_URI CLASSIFIER_URI; do
    [[ -z ${!name} ]] || settings+=(--set "$name=${!name}")
  done
  # Bash before 4.4 takes an array without elements for an unset variable.
  "$PYTHON" k8s/configure.py --profile "$PROFILE" --architecture "$ARCHITECTURE" --image "$IMAGE" \
    ${settings[@]+"${settings[@]}"} "$BUILD/k8s" < "$BUILD/outputs.json"
  before=$(in_namespace get rayservice "$SERVICE" --ignore-not-found --output "jsonpath={.metadata.annotations.$READY}")
  namespace
  valkey_password
  operator 1
  ! kind_exists podmonitors.monitoring.coreos.com || "$KUBECTL" apply --kustomize k8s/monitoring
  "$KUBECTL" apply --kustomize "$BUILD/k8s"
  begin "waiting until the service is ready, each step at most $READY_TIMEOUT s"
  ready || not_ready "$before"
  # The version to roll back to if the next one does not become ready.
  in_namespace annotate rayservice "$SERVICE" --overwrite \
    "$READY=PROFILE=$PROFILE ARCHITECTURE=$ARCHITECTURE IMAGE=$IMAGE DETECTOR_URI=$DETECTOR_URI CLASSIFIER_URI=$CLASSIFIER_URI" > /dev/null
  keep_image
  begin "waiting until the old cluster is gone"
  alone
}

# Both clusters get requests until the old one is deleted, and the smoke test is to ask the new one.
alone() {
  local deadline=$((SECONDS + READY_TIMEOUT))
  while (($(in_namespace get raycluster --selector "ray.io/originated-from-cr-name=$SERVICE" --output name | wc -l) > 1)); do
    ((SECONDS < deadline)) || fail "there is more than one cluster: kubectl get raycluster"
    sleep 5
  done
}

# A second tag, by which the registry's rules keep what was deployed however much is built.
keep_image() {
  [[ $IMAGE == *.dkr.ecr.*@sha256:* ]] || return 0
  local repository=${IMAGE%@*} digest=${IMAGE#*@} found
  repository=${repository#*/}
  found=$("$AWS" ecr batch-get-image --repository-name "$repository" --image-ids "imageDigest=$digest" \
    --query 'images[0].[imageManifestMediaType, imageManifest]' --output text)
  [[ $found == *$'\t'* ]] || return 0 # of another registry
  "$AWS" ecr put-image --repository-name "$repository" --image-tag "deployed-${digest:7:12}" --image-manifest-media-type "${found%%$'\t'*}" \
    --image-manifest "${found#*$'\t'}" > /dev/null 2> "$BUILD/tag.log" ||
    grep -q AlreadyExists "$BUILD/tag.log" || fail "cannot tag the image: $(cat "$BUILD/tag.log")"
}

namespace() {
  "$KUBECTL" apply --filename k8s/base/namespace.yaml
  ray_token
}

running_image() {
  in_namespace get rayservice "$SERVICE" --ignore-not-found \
    --output 'jsonpath={.spec.rayClusterConfig.headGroupSpec.template.spec.containers[?(@.name=="ray")].image}'
}

# The operator has observed this version of the service, no other cluster is being prepared, and the service answers. It ends at once when
# the operator says that it refuses the manifest: nothing changes then, and waiting would end in a timeout without a reason.
ready() {
  local generation
  generation=$(in_namespace get rayservice "$SERVICE" --output 'jsonpath={.metadata.generation}')
  until_true "jsonpath={.status.observedGeneration}=$generation" && until_true condition=UpgradeInProgress=False && until_true condition=Ready
}

until_true() { # CONDITION
  local deadline=$((SECONDS + READY_TIMEOUT))
  until in_namespace wait "rayservice/$SERVICE" --for="$1" --timeout=5s > "$BUILD/wait.log" 2>&1; do
    [[ $(refusal) != ValidationFailed ]] || return 1
    ((SECONDS < deadline)) || { cat "$BUILD/wait.log" >&2 && return 1; }
  done
}

refusal() {
  in_namespace get rayservice "$SERVICE" --output 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}'
}

not_ready() { # SETTINGS THAT IT WAS READY WITH
  in_namespace get "rayservice/$SERVICE" --output 'jsonpath={range .status.conditions[*]}{.type}={.status} {.message}{"\n"}{end}' >&2 || true
  say "Why: $KUBECTL --kubeconfig $KUBECONFIG --namespace $NAMESPACE describe rayservice $SERVICE, and k8s/README.md"
  if [[ -n $1 ]]; then
    say "What answered before goes on answering. To go back to it: $1 ./deploy.sh deploy"
  fi
  fail "the service is not ready"
}

# Writes a secret's value to $BUILD/secret, which only you can read, and makes it the first time: not Terraform does, so it is in no state file,
# and it is never an argument.
secret() { # ARN
  local file=$BUILD/secret
  (umask 077 && : > "$file")
  if ! "$AWS" secretsmanager get-secret-value --secret-id "$1" --query SecretString --output text > "$file" 2> "$BUILD/secret.log"; then
    grep -q ResourceNotFound "$BUILD/secret.log" || fail "cannot read the secret $1: $(cat "$BUILD/secret.log")"
    "$PYTHON" -m cloud token > "$file"
    "$AWS" secretsmanager put-secret-value --secret-id "$1" --secret-string "file://$file" > /dev/null
  fi
  printf '%s' "$(< "$file")" > "$file"
}

ray_token() {
  secret "$(output ray_token_secret_arn)"
  in_namespace create secret generic ray-token --from-file="auth_token=$BUILD/secret" --dry-run=client --output yaml |
    in_namespace apply --filename -
  rm "$BUILD/secret"
}

# Of profile ha: the user has the secret's password from then on, and Ray's head gets the same. Existing connections go on.
valkey_password() {
  local user deadline=$((SECONDS + READY_TIMEOUT))
  user=$(output valkey_user)
  [[ -n $user ]] || return 0
  secret "$(output valkey_secret_arn)"
  (umask 077 && : > "$BUILD/user")
  printf '{"UserId": "%s", "AuthenticationMode": {"Type": "password", "Passwords": ["%s"]}}' "$user" "$(< "$BUILD/secret")" > "$BUILD/user"
  "$AWS" elasticache modify-user --cli-input-json "file://$BUILD/user" > /dev/null
  in_namespace create secret generic valkey --from-file="password=$BUILD/secret" --dry-run=client --output yaml |
    in_namespace apply --filename -
  rm "$BUILD/secret" "$BUILD/user"
  until [[ $("$AWS" elasticache describe-users --user-id "$user" --query 'Users[0].Status' --output text) == active ]]; do
    ((SECONDS < deadline)) || fail "Valkey's user $user is not active"
    sleep 5
  done
}

smoke() {
  begin "checking the public address"
  local url
  url=$(output public_url)
  "$PYTHON" -m serve_app.commands.smoke --wait "$AWAKE_TIMEOUT" "$url/api"
  say "$url"
}

# --- the page --------------------------------------------------------------------------------------------------------------------------

build_ui() {
  begin "building the page"
  need "$NPM"
  "$NPM" --prefix ui ci
  "$NPM" --prefix ui run build
}

deploy_ui() {
  build_ui
  begin "uploading the page"
  [[ -n $S3_BUCKET_UI && -n $CLOUDFRONT_ID ]] || read_outputs
  local bucket=$S3_BUCKET_UI distribution=$CLOUDFRONT_ID target
  [[ -n $bucket ]] || bucket=$(output page_bucket)
  [[ -n $distribution ]] || distribution=$(output distribution_id)
  target=s3://$bucket/${S3_UI_PREFIX:+${S3_UI_PREFIX%/}/}
  # Assets are uploaded before the pages that name them, so a page is always complete, old or new. Names in assets/ contain a hash of the
  # content, so they are cached for ever, and old ones stay for pages that are open.
  "$AWS" s3 sync ui/dist/assets "${target}assets" --cache-control 'public, max-age=31536000, immutable' --only-show-errors
  "$AWS" s3 cp ui/dist "$target" --recursive --exclude 'assets/*' --exclude config.json --exclude index.html --cache-control no-cache \
    --only-show-errors
  printf '{"apiUrl": "/api"}\n' |
    "$AWS" s3 cp - "${target}config.json" --content-type application/json --cache-control no-cache --only-show-errors
  "$AWS" s3 cp ui/dist/index.html "${target}index.html" --cache-control no-cache --only-show-errors
  "$AWS" cloudfront create-invalidation --distribution-id "$distribution" --paths '/*' > /dev/null
}

serve_ui() {
  need "$NPM"
  exec "$NPM" --prefix ui run dev
}

# --- a running service -----------------------------------------------------------------------------------------------------------------

deploy() {
  need "$TERRAFORM" "$KUBECTL" "$NPM" git
  if [[ -z $IMAGE ]]; then
    need "$CONTAINER_TOOL"
    can_build # before half an hour of infrastructure
  fi
  say "This creates or changes infrastructure, image, service and page. README.md lists the costs."
  infrastructure
  build
  service
  deploy_ui
  smoke
}

suspend() { # true | false
  in_namespace patch rayservice "$SERVICE" --type merge --patch "{\"spec\": {\"suspend\": $1}}"
}

operator() { # REPLICAS
  "$KUBECTL" --namespace kuberay-operator patch deployment kuberay-operator --type merge --patch "{\"spec\": {\"replicas\": $1}}" > /dev/null
}

# The operator ends, too, because its machine would stay; it is needed until all pods are gone.
pause() {
  begin "pausing"
  connect
  suspend true
  until_true condition=Suspended || fail "the service is not suspended: k8s/README.md"
  operator 0
  say "Pods have ended, and machines will within minutes. README.md lists what still costs money. ./deploy.sh resume starts them again."
}

resume() {
  begin "resuming"
  connect
  operator 1
  suspend false
  ready || not_ready ''
}

status() {
  begin "asking for the status of the service"
  connect
  read_outputs
  in_namespace get rayservice,pods --output wide
  "$PYTHON" -m cloud health "$(output public_url)/api/health"
}

logs() {
  begin "following the log"
  connect
  in_namespace logs --selector app.kubernetes.io/component=serve --container logs --prefix --tail 100 --follow --max-log-requests 20
}

tune() {
  [[ ${1:-} == s3://* && ${2:-} == s3://* ]] || fail "usage: ./deploy.sh tune s3://BUCKET/MANIFEST s3://BUCKET/tune/RUN [NAME=VALUE ...]"
  begin "starting the search"
  connect
  read_outputs
  local image=${IMAGE:-$(running_image)} setting settings=()
  [[ -n $image ]] || fail "there is no image: ./deploy.sh deploy, or name one as IMAGE"
  for setting in "MANIFEST=$1" "RUN_DIR=$2" "${@:3}"; do
    settings+=(--set "$setting")
  done
  "$PYTHON" k8s/configure.py --profile tune --architecture "$ARCHITECTURE" --image "$image" \
    ${settings[@]+"${settings[@]}"} "$BUILD/tune" < "$BUILD/outputs.json"
  operator 1
  namespace
  in_namespace delete rayjob tune --ignore-not-found # a finished one; with the same RUN_DIR the new one resumes
  "$KUBECTL" apply --kustomize "$BUILD/tune"
  say "Follow it: $KUBECTL --kubeconfig $KUBECONFIG --namespace $NAMESPACE get rayjob tune --watch"
}

# --- destroy ---------------------------------------------------------------------------------------------------------------------------

destroy() {
  say "This deletes the service, the cluster, the images, and the buckets with all photos, models and runs. It cannot be undone."
  step=
  confirm
  begin "looking for existing resources"
  need "$TERRAFORM"
  if ! state_exists; then
    say "There is no state, so nothing is known to exist."
    return
  fi
  if cluster_exists; then
    begin "deleting the running services"
    connect
    # Their owners first, while operator and network are there: KubeRay cleans Valkey up before it lets a cluster go, and machines and
    # targets must go before network and target group.
    local kind
    ! kind_exists rayservices.ray.io || operator 1 # a paused one
    for kind in rayjob rayservice raycluster; do
      ! kind_exists "${kind}s.ray.io" || in_namespace delete "$kind" --all --ignore-not-found --timeout=15m
    done
    "$KUBECTL" delete namespace "$NAMESPACE" --ignore-not-found --timeout=15m
    begin "deleting the contents of the cluster"
    init platform
    in_root platform destroy -auto-approve
    "$KUBECTL" wait nodeclaims --all --for=delete --timeout=20m
  fi
  default_api_access
  begin "deleting the AWS resources (half an hour, because of CloudFront's VPC origin)"
  init aws
  unprotect
  left_interfaces
  in_root aws destroy -auto-approve -var deletion_protection=false
  left_logs
  begin "deleting the state"
  if [[ -s terraform/bootstrap/$STATE_BUCKET.tfstate ]]; then
    init_bootstrap
    in_root bootstrap apply -auto-approve -var force_destroy=true "$BOOTSTRAP_STATE"
    in_root bootstrap destroy -auto-approve "$BOOTSTRAP_STATE"
  else
    say "The bucket of the state was made from another checkout. Nothing in it is running any more: delete $STATE_BUCKET by hand."
  fi
  "$PYTHON" -m cloud forget-probe --aws "$AWS" --probe "$BUILD/probe"
  rm -rf "$BUILD"
}

kind_exists() { # NAME OF ITS DEFINITION
  local found
  found=$("$KUBECTL" get customresourcedefinition "$1" --ignore-not-found --output name) || fail "cannot ask the cluster for its kinds"
  [[ -n $found ]]
}

# Network interfaces that the cluster's network has left behind: subnets and security groups cannot be deleted before them.
left_interfaces() {
  local interface
  for interface in $("$AWS" ec2 describe-network-interfaces --query 'NetworkInterfaces[].NetworkInterfaceId' --output text \
    --filters Name=status,Values=available "Name=tag:cluster.k8s.amazonaws.com/name,Values=$NAME"); do
    say "deleting the network interface $interface"
    "$AWS" ec2 delete-network-interface --network-interface-id "$interface"
  done
}

# EKS may write its last lines after Terraform has deleted the log group, and so makes it again: the next deployment would find it there.
left_logs() {
  "$AWS" logs delete-log-group --log-group-name "/aws/eks/$NAME/cluster" 2> "$BUILD/logs.log" ||
    grep -q ResourceNotFound "$BUILD/logs.log" || fail "cannot delete the cluster's log group: $(cat "$BUILD/logs.log")"
}

# Turns deletion protection off, without recreating what an earlier attempt has deleted.
unprotect() {
  local address targets=()
  in_root aws state list > "$BUILD/state" 2> "$BUILD/state.log" || grep -q 'No state file' "$BUILD/state.log" ||
    fail "cannot read the state: $(cat "$BUILD/state.log")"
  while IFS= read -r address; do
    [[ ! $address =~ \.(aws_s3_bucket|aws_ecr_repository|aws_eks_cluster)\.this$ ]] || targets+=("-target=$address")
  done < "$BUILD/state"
  ((${#targets[@]} == 0)) || in_root aws apply -auto-approve -var deletion_protection=false "${targets[@]}"
}

command=${1:-help}
shift || true
case $command in
  help | -h | --help) help ;;
  build-ui | serve-ui) "${command//-/_}" ;;
  deploy | build | plan | apply | infrastructure | outputs | destroy | deploy-ui | pause | resume | status | logs | tune)
    [[ $# == 0 || $command == tune ]] || fail "$command takes no arguments: ./deploy.sh help"
    load_config
    account
    "${command//-/_}" "$@"
    ;;
  *) fail "there is no command $command: ./deploy.sh help" ;;
esac
